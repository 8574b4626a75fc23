// Package config turns flags, environment variables and a YAML file into the
// settings of the server. Flags win over the environment, which wins over the
// file. It is, with the command line itself, the only place that knows where a
// setting comes from; everything else is given values.
package config

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
)

// Role says which part of the work a replica does.
type Role string

// The roles.
const (
	// RoleAll serves the API and works in the background.
	RoleAll Role = "all"
	// RoleAPI serves the API only.
	RoleAPI Role = "api"
	// RoleWorker works in the background only; it answers health checks.
	RoleWorker Role = "worker"
)

// Config holds the settings of the server.
type Config struct {
	// DataDir is the folder of the embedded database and its encryption key.
	// It is not used when DatabaseURL is set.
	DataDir string
	// DatabaseURL is the PostgreSQL URL. It may hold a password.
	DatabaseURL linkspan.Secret
	// MaxConns bounds the connections to PostgreSQL. Zero means the store's
	// own choice.
	MaxConns int
	// PollOnly forgoes LISTEN, for databases behind a transaction pooler.
	PollOnly bool
	// Listen is the address of the public API, AdminListen that of metrics and
	// profiles; empty means none.
	Listen, AdminListen string
	// PublicURL is where browsers and third parties reach the API, without a
	// slash at its end. Empty means http://localhost with the port of Listen.
	PublicURL string
	// ConnectURL is where browsers reach Connect UI; its path ends in a slash.
	// Empty means PublicURL with /connect-ui/ after it.
	ConnectURL string
	// Role says which part of the work this replica does.
	Role Role
	// AllowPrivateNetwork lets outbound calls reach private addresses.
	AllowPrivateNetwork bool
	// BaseURLOverride says which hosts callers of the proxy may name in the
	// header Base-Url-Override: "anywhere", "provider" or "off".
	BaseURLOverride string
	// DeniedHosts are hosts that outbound calls never reach; one with a leading
	// dot stands for itself and all hosts below it.
	DeniedHosts []string
	// MaxBody and MaxProxyBody bound the bodies of requests to the API and of
	// proxied ones, in bytes. Zero in MaxProxyBody means no bound.
	MaxBody, MaxProxyBody int64
	// RateLimit is the number of API calls an account may make in a minute.
	// Zero means no limit.
	RateLimit int
	// Runners is the most processes that run functions.
	Runners int
	// FunctionMemory and FunctionsMemory bound the memory of one run and of all
	// runs of this replica, in bytes.
	FunctionMemory, FunctionsMemory int64
	// FunctionCPU bounds how long a function computes between two waits.
	FunctionCPU time.Duration
	// ActionTimeout bounds the run of an action.
	ActionTimeout time.Duration
	// SyncTimeout bounds the run of a sync, and SyncSlice how long it goes on
	// without making room for others at a checkpoint.
	SyncTimeout, SyncSlice time.Duration
	// Syncs is how many syncs this replica runs at the same time; the others bound how
	// many of one environment, provider, function or connection all replicas run
	// together.
	Syncs, SyncsPerEnvironment, SyncsPerProvider, SyncsPerFunction, SyncsPerConnection int
	// PruneRecordsAfter is after how long without a change the payload of a record
	// is emptied, and DeleteRecordsAfter after how long without a run the records
	// of a sync are removed. Zero: never.
	PruneRecordsAfter, DeleteRecordsAfter time.Duration
	// CacheDir holds what can be made again. Empty: a folder of the program's
	// own choice.
	CacheDir string
	// EncryptionKey is the active master key, OldEncryptionKeys those that
	// only decrypt. Each is valid base64 of 32 bytes.
	EncryptionKey     linkspan.Secret
	OldEncryptionKeys []linkspan.Secret
	// ProvidersDir holds the operator's own providers. Empty means none.
	ProvidersDir string
	// SharedApps is the file of the operator's developer apps that customers may try
	// providers with; see LoadSharedApps. Empty means none.
	SharedApps string
	// LogFormat is "text", "json" or "auto"; LogLevel is a name of slog.
	LogFormat, LogLevel string
	// Bootstrap fixes keys that a new database would generate.
	Bootstrap Bootstrap

	sources map[string]source
}

// Bootstrap holds the keys that the first start on an empty database uses
// instead of random ones. Empty values are generated.
type Bootstrap struct {
	// AccountKey is the account's API key.
	AccountKey linkspan.Secret
	// Dev and Prod are the keys of the two first environments.
	Dev, Prod BootstrapEnvironment
}

// BootstrapEnvironment holds the keys of one environment.
type BootstrapEnvironment struct {
	// SecretKey is the environment's API key, a UUID version 4.
	SecretKey linkspan.Secret
	// WebhookSigningKey signs its outgoing webhooks.
	WebhookSigningKey linkspan.Secret
	// PublicKey is the key browsers of the older flow send. Not secret.
	PublicKey string
}

// source is where a setting's value came from: its text, and words for it.
type source struct {
	text   string
	origin string
}

// Load reads the settings. flags holds the flags that were given, by name;
// environ looks up environment variables, where empty means unset; file is the
// path of the YAML file, or empty. All problems are reported at once, each
// naming the setting and where its value came from.
func Load(flags map[string]string, environ func(string) string, file string) (Config, error) {
	inFile := map[string]source{}
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return Config{}, fmt.Errorf("reading the configuration file: %w", err)
		}
		if inFile, err = parseFile(file, data); err != nil {
			return Config{}, err
		}
	}
	c := Config{sources: make(map[string]source)}
	var problems []error
	for _, s := range Settings() {
		src := s.find(flags, environ, inFile)
		c.sources[s.Name] = src
		if src.text == "" {
			continue
		}
		if err := s.set(&c, src.text); err != nil {
			problems = append(problems, &SettingError{Setting: s, Origin: src.origin, Err: err})
		}
	}
	if err := errors.Join(append(problems, c.check())...); err != nil {
		return Config{}, err
	}
	return c, nil
}

// find returns the value of the source that wins.
func (s Setting) find(flags map[string]string, environ func(string) string, inFile map[string]source) source {
	if text, ok := flags[s.Name]; ok && !s.NoFlag {
		return source{text, "--" + s.Name}
	}
	if text := environ(s.Env()); text != "" {
		return source{text, s.Env()}
	}
	if src, ok := inFile[s.Key()]; ok {
		return src
	}
	return source{s.Default, "default"}
}

// check looks at what no setting can see alone.
func (c *Config) check() error {
	if !c.DatabaseURL.IsZero() && c.sources["data"].origin != "default" {
		return fmt.Errorf("%s and %s exclude each other: the data is either in a folder or in PostgreSQL",
			c.sources["data"].origin, c.sources["database"].origin)
	}
	if len(c.OldEncryptionKeys) > 0 && c.EncryptionKey.IsZero() {
		return fmt.Errorf("%s is given without an active key: give --encryption-key (LINKSPAN_ENCRYPTION_KEY) too",
			c.sources["old-encryption-keys"].origin)
	}
	if c.AdminListen != "" && c.AdminListen == c.Listen && !strings.HasSuffix(c.Listen, ":0") {
		return fmt.Errorf("--admin-listen and --listen are both %s: metrics and profiles need an address of their own", c.Listen)
	}
	return nil
}

// SettingError says that the value of one setting is not acceptable.
type SettingError struct {
	// Setting is the one concerned.
	Setting Setting
	// Origin is where the value came from.
	Origin string
	// Err is what is wrong with the value. It does not repeat secrets.
	Err error
}

// Error implements error.
func (e *SettingError) Error() string {
	return fmt.Sprintf("%s: %v (%s)", e.Origin, e.Err, e.Setting.names())
}

// Unwrap returns what is wrong with the value.
func (e *SettingError) Unwrap() error { return e.Err }
