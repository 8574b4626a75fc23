package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/config"
)

const (
	key1 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	key2 = "HxECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	uuid = "0b5ad5a4-3a0f-4d8e-9d0f-6a3c1f1f0001"
)

func environ(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "linkspan.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func secret(s string) linkspan.Secret { return linkspan.NewSecret(s) }

func TestLoad(t *testing.T) {
	t.Parallel()
	defaults := config.Config{
		DataDir: "./linkspan-data", Listen: "127.0.0.1:3003", Role: config.RoleAll, LogFormat: "auto", LogLevel: "info",
		BaseURLOverride: "anywhere", MaxBody: 75 << 20, MaxProxyBody: 75 << 20,
		Runners: 2, FunctionMemory: 128 << 20, FunctionsMemory: 1 << 30, FunctionCPU: time.Minute, ActionTimeout: 15 * time.Minute,
		SyncTimeout: 24 * time.Hour, SyncSlice: time.Hour, Syncs: 64, SyncsPerEnvironment: 32, SyncsPerProvider: 32, SyncsPerFunction: 16, SyncsPerConnection: 4,
	}
	with := func(change func(*config.Config)) config.Config {
		c := defaults
		change(&c)
		return c
	}
	tests := []struct {
		name  string
		flags map[string]string
		env   map[string]string
		file  string
		want  config.Config
	}{
		{name: "defaults", want: defaults},
		{
			name:  "flags win over the environment, which wins over the file",
			flags: map[string]string{"listen": ":1"},
			env:   map[string]string{"LINKSPAN_LISTEN": ":2", "LINKSPAN_LOG_LEVEL": "warn"},
			file:  "listen: :3\nlog_level: debug\nrate_limit: 200\n",
			want: with(func(c *config.Config) {
				c.Listen, c.LogLevel, c.RateLimit = ":1", "warn", 200
			}),
		},
		{
			name: "an empty variable is unset",
			env:  map[string]string{"LINKSPAN_LISTEN": ""},
			want: defaults,
		},
		{
			name: "everything from the file",
			file: `# comment
database: postgres://u:p@db/linkspan
database_connections: 7
poll_only: true
admin_listen: 127.0.0.1:0
public_url: https://api.example.com/
connect_url: https://connect.example.com/ui
role: worker
allow_private_network: true
base_url_override: provider
denied_hosts: [api.example, ".evil.example", "[::1]"]
max_body: 500 kb
max_proxy_body: 0
runners: 3
function_memory: 64MB
functions_memory: 2GB
function_cpu: 5s
action_timeout: 90s
sync_timeout: 2d
sync_slice: 10m
syncs: 10
syncs_per_environment: 5
syncs_per_provider: 6
syncs_per_function: 7
syncs_per_connection: 2
prune_records_after: 30d
delete_records_after: Never
cache: /var/cache/linkspan
encryption_key: ` + key1 + `
old_encryption_keys:
  - ` + key2 + `
  - ` + key1 + `
providers: ./providers
log_format: json
account_key: ` + strings.ToUpper(uuid) + `
secret_key_prod: ` + uuid + `
webhook_signing_key_dev: sixteen characters
public_key_dev: ` + uuid + `
`,
			want: with(func(c *config.Config) {
				c.DatabaseURL, c.MaxConns, c.PollOnly = secret("postgres://u:p@db/linkspan"), 7, true
				c.AdminListen, c.PublicURL, c.Role = "127.0.0.1:0", "https://api.example.com", config.RoleWorker
				c.ConnectURL = "https://connect.example.com/ui/"
				c.BaseURLOverride, c.DeniedHosts = "provider", []string{"api.example", ".evil.example", "[::1]"}
				c.MaxBody, c.MaxProxyBody = 500<<10, 0
				c.Runners, c.FunctionMemory, c.FunctionsMemory = 3, 64<<20, 2<<30
				c.FunctionCPU, c.ActionTimeout = 5*time.Second, 90*time.Second
				c.SyncTimeout, c.SyncSlice, c.Syncs, c.SyncsPerEnvironment = 48*time.Hour, 10*time.Minute, 10, 5
				c.SyncsPerProvider, c.SyncsPerFunction, c.SyncsPerConnection = 6, 7, 2
				c.PruneRecordsAfter, c.DeleteRecordsAfter = 30*24*time.Hour, 0
				c.CacheDir = "/var/cache/linkspan"
				c.AllowPrivateNetwork, c.ProvidersDir, c.LogFormat = true, "./providers", "json"
				c.EncryptionKey, c.OldEncryptionKeys = secret(key1), []linkspan.Secret{secret(key2), secret(key1)}
				c.Bootstrap.AccountKey, c.Bootstrap.Prod.SecretKey = secret(uuid), secret(uuid)
				c.Bootstrap.Dev.WebhookSigningKey, c.Bootstrap.Dev.PublicKey = secret("sixteen characters"), uuid
			}),
		},
		{
			name: "keys from the environment",
			env: map[string]string{
				"LINKSPAN_SECRET_KEY_DEV": uuid, "LINKSPAN_ENCRYPTION_KEY": key1, "LINKSPAN_OLD_ENCRYPTION_KEYS": key2 + ", " + key1,
			},
			want: with(func(c *config.Config) {
				c.Bootstrap.Dev.SecretKey = secret(uuid)
				c.EncryptionKey, c.OldEncryptionKeys = secret(key1), []linkspan.Secret{secret(key2), secret(key1)}
			}),
		},
		{
			name: "the path of Connect UI ends in one slash",
			env:  map[string]string{"LINKSPAN_CONNECT_URL": "http://localhost:3003//"},
			want: with(func(c *config.Config) { c.ConnectURL = "http://localhost:3003/" }),
		},
		{name: "empty file", file: "# nothing\n", want: defaults},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := ""
			if tt.file != "" {
				file = writeFile(t, tt.file)
			}
			got, err := config.Load(tt.flags, environ(tt.env), file)
			if err != nil {
				t.Fatal(err)
			}
			equalSecrets := cmp.Comparer(func(a, b linkspan.Secret) bool { return a.Equal(b) })
			if diff := cmp.Diff(tt.want, got, equalSecrets, cmpopts.IgnoreUnexported(config.Config{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		flags map[string]string
		env   map[string]string
		file  string
		want  []string
	}{
		{"not a number", map[string]string{"rate-limit": "many"}, nil, "", []string{`--rate-limit: "many"`, "LINKSPAN_RATE_LIMIT", "file key rate_limit"}},
		{"no runner", map[string]string{"runners": "0"}, nil, "", []string{`--runners: "0"`, "from 1 on"}},
		{"not a duration", map[string]string{"action-timeout": "soon"}, nil, "", []string{`--action-timeout: "soon"`, "such as 30s"}},
		{"too long", map[string]string{"action-timeout": "25h"}, nil, "", []string{"from 1s to 24h"}},
		{"so many days that they come round to a few minutes", map[string]string{"prune-records-after": "213504d"}, nil, "", []string{`--prune-records-after: "213504d"`}},
		{"negative", map[string]string{"rate-limit": "-1"}, nil, "", []string{"from 0 on"}},
		{"not a boolean", nil, map[string]string{"LINKSPAN_POLL_ONLY": "maybe"}, "", []string{`LINKSPAN_POLL_ONLY: "maybe"`, "--poll-only"}},
		{"no size", map[string]string{"max-body": "lots"}, nil, "", []string{`--max-body: "lots"`, "75MB"}},
		{"no body at all", map[string]string{"max-body": "0"}, nil, "", []string{"too small"}},
		{"a URL among the hosts", map[string]string{"denied-hosts": "a.example,https://b.example"}, nil, "", []string{`"https://b.example" is not a host name`}},
		{"override", map[string]string{"base-url-override": "yes"}, nil, "", []string{"anywhere, provider, off"}},
		{"role", map[string]string{"role": "boss"}, nil, "", []string{"all, api, worker"}},
		{"no port", map[string]string{"listen": "localhost"}, nil, "", []string{"127.0.0.1:3003"}},
		{"port too high", map[string]string{"listen": ":70000"}, nil, "", []string{"65535"}},
		{"public URL without scheme", map[string]string{"public-url": "example.com"}, nil, "", []string{"http or https URL"}},
		{"public URL with query", map[string]string{"public-url": "https://x.y/?a=b"}, nil, "", []string{"only a scheme"}},
		{"URL of Connect UI without scheme", map[string]string{"connect-url": "connect.example"}, nil, "", []string{"--connect-url", "http or https URL"}},
		{"URL of Connect UI with query", map[string]string{"connect-url": "https://x.y/?"}, nil, "", []string{"only a scheme"}},
		{"URL of Connect UI with fragment", map[string]string{"connect-url": "https://x.y/#"}, nil, "", []string{"only a scheme"}},
		{"log format", map[string]string{"log-format": "xml"}, nil, "", []string{"auto, text, json"}},
		{"encryption key", map[string]string{"encryption-key": "c2hvcnQ="}, nil, "", []string{"32 random bytes; this one has 5"}},
		{"second old key", map[string]string{"encryption-key": key1, "old-encryption-keys": key2 + ",x"}, nil, "", []string{"key 2: "}},
		{"old key without an active one", map[string]string{"old-encryption-keys": key2}, nil, "", []string{"without an active key"}},
		{"not a uuid", nil, map[string]string{"LINKSPAN_ACCOUNT_KEY": "hunter2hunter2"}, "", []string{"UUID version 4", "file key account_key"}},
		{"short signing key", nil, map[string]string{"LINKSPAN_WEBHOOK_SIGNING_KEY_DEV": "hunter2"}, "", []string{"shorter than 16"}},
		{"database of another kind", map[string]string{"database": "mysql://u:hunter2@h/d"}, nil, "", []string{"postgres://"}},
		{"database that is no URL", map[string]string{"database": "postgres://u:hunter2%@h/d"}, nil, "", []string{"percent-encoded"}},
		{"folder and database", map[string]string{"data": "x"}, map[string]string{"LINKSPAN_DATABASE": "postgres://h/d"}, "", []string{"--data and LINKSPAN_DATABASE exclude"}},
		{"one address for both", map[string]string{"listen": ":1", "admin-listen": ":1"}, nil, "", []string{"both :1"}},
		{"all problems at once", map[string]string{"role": "boss", "rate-limit": "x"}, nil, "", []string{"--role", "--rate-limit"}},
		{"unknown key", nil, nil, "listen: :1\n\nratelimit: 5\n", []string{"linkspan.yaml:3: ", `unknown setting "ratelimit"`, `did you mean "rate_limit"?`}},
		{"unknown key like nothing", nil, nil, "zzzzzzzzzzzz: 5\n", []string{"linkspan.yaml:1: "}},
		{"set twice", nil, nil, "listen: :1\nlisten: :2\n", []string{"listen"}},
		{"bad value in the file", nil, nil, "\nrole: boss\n", []string{"linkspan.yaml:2 (role)", "all, api, worker"}},
		{"nested", nil, nil, "listen:\n  port: 1\n", []string{"linkspan.yaml:1: listen is neither"}},
		{"a list", nil, nil, "- listen\n", []string{"linkspan.yaml:1: ", "not a mapping"}},
		{"two documents", nil, nil, "listen: :1\n---\nrole: api\n", []string{"more than one document"}},
		{"not YAML", nil, nil, "listen: [\n", []string{"linkspan.yaml"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := ""
			if tt.file != "" {
				file = writeFile(t, tt.file)
			}
			_, err := config.Load(tt.flags, environ(tt.env), file)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %q repeats a secret", err)
			}
		})
	}
	if _, err := config.Load(nil, environ(nil), "/nowhere.yaml"); err == nil || !strings.Contains(err.Error(), "/nowhere.yaml") {
		t.Errorf("missing file: %v", err)
	}
}

func TestPrintShowsNoSecretAndCanBeRead(t *testing.T) {
	t.Parallel()
	c, err := config.Load(
		map[string]string{"database": "postgres://ann:hunter2@db:5432/linkspan?sslpassword=hunter2", "role": "api"},
		environ(map[string]string{"LINKSPAN_ENCRYPTION_KEY": key1, "LINKSPAN_ACCOUNT_KEY": uuid}), "")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hunter2", key1, uuid} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%s is shown:\n%s", secret, out.String())
		}
	}
	for _, want := range []string{
		"database: postgres://ann:[redacted]@db:5432/linkspan  # --database\n",
		"role: api  # --role\n",
		"encryption_key: '[redacted]'  # LINKSPAN_ENCRYPTION_KEY\n",
		"rate_limit: 0  # default\n",
		"# providers:  # not set\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no line %q in\n%s", want, out.String())
		}
	}

	plain, err := config.Load(map[string]string{"listen": "[::1]:0"}, environ(nil), "")
	if err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := plain.Print(&out); err != nil {
		t.Fatal(err)
	}
	again, err := config.Load(nil, environ(nil), writeFile(t, out.String()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain, again, cmpopts.IgnoreUnexported(config.Config{}, linkspan.Secret{})); diff != "" {
		t.Errorf("what was printed reads differently (-printed +read)\n%s", diff)
	}
}

func TestSettingsHaveDistinctNames(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, s := range config.Settings() {
		if seen[s.Env()] || s.Usage == "" {
			t.Errorf("setting %s is there twice, or says nothing", s.Name)
		}
		seen[s.Env()] = true
	}
	for _, name := range []string{
		"LINKSPAN_SECRET_KEY_DEV", "LINKSPAN_SECRET_KEY_PROD", "LINKSPAN_ACCOUNT_KEY", "LINKSPAN_WEBHOOK_SIGNING_KEY_DEV",
		"LINKSPAN_WEBHOOK_SIGNING_KEY_PROD", "LINKSPAN_PUBLIC_KEY_DEV", "LINKSPAN_PUBLIC_KEY_PROD", "LINKSPAN_OLD_ENCRYPTION_KEYS",
	} {
		if !seen[name] {
			t.Errorf("no setting reads %s", name)
		}
	}
}

func FuzzLoadFile(f *testing.F) {
	f.Add("listen: :1\n")
	f.Add("old_encryption_keys: [a, b]\n")
	f.Add("? {a: b}\n: c\n")
	f.Add("a: &x 1\nlisten: *x\n")
	f.Fuzz(func(t *testing.T, content string) {
		path := filepath.Join(t.TempDir(), "linkspan.yaml")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(nil, environ(nil), path)
		if err == nil && c.Role == "" {
			t.Error("accepted without a role")
		}
	})
}
