package apptest

import (
	"maps"
	"testing"
)

// Options say how to start an instance.
type Options struct {
	// Database is where it keeps its state.
	Database Database
	// ProvidersDir holds provider files of the test. Optional.
	ProvidersDir string
	// PollOnly makes it do without LISTEN, as behind a transaction pooler.
	PollOnly bool
	// Flags are further flags of "linkspan serve", without their dashes.
	Flags map[string]string
	// Env are further environment variables.
	Env map[string]string
}

// flags returns the flags of the instance by name.
func (o Options) flags() map[string]string {
	flags := map[string]string{
		"listen": "127.0.0.1:0", "admin-listen": "127.0.0.1:0", "allow-private-network": "true",
		"log-format": "json", "log-level": "debug", "cache": CacheDir(),
	}
	if o.Database.Dir != "" {
		flags["data"] = o.Database.Dir
	} else {
		flags["database"] = o.Database.URL
	}
	if o.ProvidersDir != "" {
		flags["providers"] = o.ProvidersDir
	}
	if o.PollOnly {
		flags["poll-only"] = "true"
	}
	maps.Copy(flags, o.Flags)
	return flags
}

// args returns the command line.
func (o Options) args() []string {
	args := []string{"serve"}
	for name, value := range o.flags() {
		args = append(args, "--"+name+"="+value)
	}
	return args
}

// environ returns the environment variables of the instance.
func (o Options) environ() map[string]string {
	env := o.Database.Keys.environ()
	maps.Copy(env, o.Env)
	return env
}

// Instance is a running program.
type Instance struct {
	// URL is where the public API is, AdminURL where /metrics is.
	URL, AdminURL string
	Keys          Keys

	logs *logs
}

// Logs returns everything the instance has printed so far.
func (i *Instance) Logs() string { return i.logs.String() }

// Dev returns a client with the full-access key of the environment dev.
func (i *Instance) Dev(t testing.TB) Client {
	t.Helper()
	return NewClient(t, i.URL, i.Keys.Dev)
}

// Prod returns a client with the full-access key of the environment prod.
func (i *Instance) Prod(t testing.TB) Client {
	t.Helper()
	return NewClient(t, i.URL, i.Keys.Prod)
}

// Account returns a client with the account key.
func (i *Instance) Account(t testing.TB) Client {
	t.Helper()
	return NewClient(t, i.URL, i.Keys.Account)
}

// Anonymous returns a client without a key.
func (i *Instance) Anonymous(t testing.TB) Client {
	t.Helper()
	return NewClient(t, i.URL, "")
}

// DevUUID returns the UUID of the environment dev.
func (i *Instance) DevUUID(t testing.TB) string { return i.environmentUUID(t, "dev") }

// ProdUUID returns the UUID of the environment prod.
func (i *Instance) ProdUUID(t testing.TB) string { return i.environmentUUID(t, "prod") }

func (i *Instance) environmentUUID(t testing.TB, name string) string {
	t.Helper()
	var reply struct {
		Data []struct{ UUID string }
	}
	i.Account(t).Do(t, "GET", "/environments?name="+name, nil).Want(t, 200).Into(t, &reply)
	if len(reply.Data) != 1 {
		t.Fatalf("%d environments are called %q, not one", len(reply.Data), name)
	}
	return reply.Data[0].UUID
}
