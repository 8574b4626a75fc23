package config

import (
	"strings"
	"time"
)

// Setting describes one setting: its names, its meaning and its default.
type Setting struct {
	// Name is the flag's name. The environment variable and the key of the
	// file follow from it.
	Name string
	// Usage says in one line what it does.
	Usage string
	// Default is the text used when no source has the setting.
	Default string
	// Placeholder names the kind of value in help texts.
	Placeholder string
	// Bool marks a setting that is either on or off.
	Bool bool
	// Secret marks a value that is never shown.
	Secret bool
	// NoFlag marks settings that come from the environment or the file only:
	// every user of a machine sees the flags of its processes.
	NoFlag bool

	set  func(c *Config, text string) error
	show func(c *Config) string // only for secrets: what may be shown
}

// Env returns the name of the setting's environment variable.
func (s Setting) Env() string {
	return "LINKSPAN_" + strings.ToUpper(s.Key())
}

// Key returns the setting's key in the configuration file.
func (s Setting) Key() string { return strings.ReplaceAll(s.Name, "-", "_") }

func (s Setting) names() string {
	if s.NoFlag {
		return "setting " + s.Env() + ", file key " + s.Key()
	}
	return "setting --" + s.Name + ", " + s.Env() + ", file key " + s.Key()
}

// Settings returns all settings, in the order in which help shows them.
func Settings() []Setting {
	return append(serverSettings(), bootstrapSettings()...)
}

func serverSettings() []Setting {
	return []Setting{
		{
			Name: "data", Placeholder: "DIR", Default: "./linkspan-data",
			Usage: "folder of the embedded database and its encryption key",
			set:   text(func(c *Config) *string { return &c.DataDir }),
		},
		{
			Name: "database", Placeholder: "URL", Secret: true,
			Usage: "PostgreSQL URL; replaces --data",
			set:   setDatabase, show: func(c *Config) string { return redactURL(c.DatabaseURL) },
		},
		{
			Name: "database-connections", Placeholder: "N", Default: "0",
			Usage: "most connections of this replica to PostgreSQL; 0 means 20",
			set:   count(func(c *Config) *int { return &c.MaxConns }),
		},
		{
			Name: "poll-only", Bool: true, Default: "false",
			Usage: "do not use LISTEN, for PostgreSQL behind a transaction pooler",
			set:   onOff(func(c *Config) *bool { return &c.PollOnly }),
		},
		{
			Name: "listen", Placeholder: "ADDRESS", Default: "127.0.0.1:3003",
			Usage: "address of the API; port 0 takes a free one",
			set:   address(func(c *Config) *string { return &c.Listen }),
		},
		{
			Name: "admin-listen", Placeholder: "ADDRESS",
			Usage: "address of metrics and profiles; none when empty",
			set:   address(func(c *Config) *string { return &c.AdminListen }),
		},
		{
			Name: "public-url", Placeholder: "URL",
			Usage: "where browsers and third parties reach the API (default http://localhost with the port of --listen)",
			set:   setPublicURL,
		},
		{
			Name: "connect-url", Placeholder: "URL",
			Usage: "where browsers reach Connect UI (default /connect-ui/ below --public-url)",
			set:   setConnectURL,
		},
		{
			Name: "role", Placeholder: "ROLE", Default: string(RoleAll),
			Usage: "what this replica does: all, api or worker",
			set:   setRole,
		},
		{
			Name: "allow-private-network", Bool: true, Default: "false",
			Usage: "let outbound calls reach loopback and private addresses",
			set:   onOff(func(c *Config) *bool { return &c.AllowPrivateNetwork }),
		},
		{
			Name: "base-url-override", Placeholder: "WHERE", Default: "anywhere",
			Usage: "hosts that callers of the proxy may name: anywhere, provider (its own) or off",
			set:   oneOf(func(c *Config) *string { return &c.BaseURLOverride }, "anywhere", "provider", "off"),
		},
		{
			Name: "denied-hosts", Placeholder: "HOSTS",
			Usage: "hosts that outbound calls never reach, separated by commas; .example.com includes all below",
			set:   setDeniedHosts,
		},
		{
			Name: "max-body", Placeholder: "SIZE", Default: "75MB",
			Usage: "largest body of an API request, such as 500KB, 75MB or 2GB",
			set:   size(func(c *Config) *int64 { return &c.MaxBody }, 1),
		},
		{
			Name: "max-proxy-body", Placeholder: "SIZE", Default: "75MB",
			Usage: "largest body of a proxied request, which streams; 0 is no limit",
			set:   size(func(c *Config) *int64 { return &c.MaxProxyBody }, 0),
		},
		{
			Name: "rate-limit", Placeholder: "N", Default: "0",
			Usage: "API calls an account may make in a minute; 0 is no limit",
			set:   count(func(c *Config) *int { return &c.RateLimit }),
		},
		{
			Name: "runners", Placeholder: "N", Default: "2",
			Usage: "most processes that run functions; they start with the first run",
			set:   atLeastOne(func(c *Config) *int { return &c.Runners }),
		},
		{
			Name: "function-memory", Placeholder: "SIZE", Default: "128MB",
			Usage: "most memory of one run of a function",
			set:   size(func(c *Config) *int64 { return &c.FunctionMemory }, 16<<20),
		},
		{
			Name: "functions-memory", Placeholder: "SIZE", Default: "1GB",
			Usage: "most memory of all runs of this replica together; more wait",
			set:   size(func(c *Config) *int64 { return &c.FunctionsMemory }, 64<<20),
		},
		{
			Name: "function-cpu", Placeholder: "DURATION", Default: "1m",
			Usage: "longest that a function may compute without waiting for anything, such as 500ms or 1m",
			set:   duration(func(c *Config) *time.Duration { return &c.FunctionCPU }, 100*time.Millisecond, 24*time.Hour),
		},
		{
			Name: "action-timeout", Placeholder: "DURATION", Default: "15m",
			Usage: "longest run of an action, such as 30s or 15m",
			set:   duration(func(c *Config) *time.Duration { return &c.ActionTimeout }, time.Second, 24*time.Hour),
		},
		{
			Name: "sync-timeout", Placeholder: "DURATION", Default: "24h",
			Usage: "longest run of a sync",
			set:   duration(func(c *Config) *time.Duration { return &c.SyncTimeout }, time.Second, 31*day),
		},
		{
			Name: "sync-slice", Placeholder: "DURATION", Default: "1h",
			Usage: "after how long a sync that saves checkpoints makes room for others and goes on in a run of its own",
			set:   duration(func(c *Config) *time.Duration { return &c.SyncSlice }, time.Second, 31*day),
		},
		{
			Name: "syncs", Placeholder: "N", Default: "64",
			Usage: "most syncs that this replica runs at the same time",
			set:   atLeastOne(func(c *Config) *int { return &c.Syncs }),
		},
		{
			Name: "syncs-per-environment", Placeholder: "N", Default: "32",
			Usage: "most syncs for one environment, on all replicas together",
			set:   atLeastOne(func(c *Config) *int { return &c.SyncsPerEnvironment }),
		},
		{
			Name: "syncs-per-provider", Placeholder: "N", Default: "32",
			Usage: "most syncs for one provider, on all replicas together",
			set:   atLeastOne(func(c *Config) *int { return &c.SyncsPerProvider }),
		},
		{
			Name: "syncs-per-function", Placeholder: "N", Default: "16",
			Usage: "most syncs of one function, on all replicas together",
			set:   atLeastOne(func(c *Config) *int { return &c.SyncsPerFunction }),
		},
		{
			Name: "syncs-per-connection", Placeholder: "N", Default: "4",
			Usage: "most syncs for one connection, on all replicas together",
			set:   atLeastOne(func(c *Config) *int { return &c.SyncsPerConnection }),
		},
		{
			Name: "prune-records-after", Placeholder: "DURATION", Default: "never",
			Usage: "empty the payload of records that were not changed for so long, such as 30d",
			set:   orNever(duration(func(c *Config) *time.Duration { return &c.PruneRecordsAfter }, time.Minute, 3650*day), func(c *Config) *time.Duration { return &c.PruneRecordsAfter }),
		},
		{
			Name: "delete-records-after", Placeholder: "DURATION", Default: "never",
			Usage: "remove the records of syncs that did not run for so long, such as 60d",
			set:   orNever(duration(func(c *Config) *time.Duration { return &c.DeleteRecordsAfter }, time.Minute, 3650*day), func(c *Config) *time.Duration { return &c.DeleteRecordsAfter }),
		},
		{
			Name: "cache", Placeholder: "DIR",
			Usage: "folder of what can be made again (default cache in --data, else in the user's cache folder)",
			set:   text(func(c *Config) *string { return &c.CacheDir }),
		},
		{
			Name: "encryption-key", Placeholder: "KEY", Secret: true,
			Usage: "base64 of 32 bytes; with --data made in the folder when absent",
			set:   setEncryptionKey, show: hidden,
		},
		{
			Name: "old-encryption-keys", Placeholder: "KEYS", Secret: true,
			Usage: "earlier encryption keys that only decrypt, separated by commas",
			set:   setOldEncryptionKeys, show: hidden,
		},
		{
			Name: "providers", Placeholder: "DIR",
			Usage: "folder of your own providers",
			set:   text(func(c *Config) *string { return &c.ProvidersDir }),
		},
		{
			Name: "shared-apps", Placeholder: "FILE",
			Usage: "YAML or JSON file of your developer apps that customers may try providers with",
			set:   text(func(c *Config) *string { return &c.SharedApps }),
		},
		{
			Name: "log-format", Placeholder: "FORMAT", Default: "auto",
			Usage: "text, json, or auto: text on a terminal",
			set:   oneOf(func(c *Config) *string { return &c.LogFormat }, "auto", "text", "json"),
		},
		{
			Name: "log-level", Placeholder: "LEVEL", Default: "info",
			Usage: "debug, info, warn or error",
			set:   oneOf(func(c *Config) *string { return &c.LogLevel }, "debug", "info", "warn", "error"),
		},
	}
}

// bootstrapSettings are read on the first start only.
func bootstrapSettings() []Setting {
	settings := []Setting{{
		Name: "account-key", Secret: true, NoFlag: true,
		Usage: "account API key of a new database, a UUID version 4",
		set:   secretUUID(func(c *Config) secretField { return &c.Bootstrap.AccountKey }), show: hidden,
	}}
	for name, env := range map[string]func(*Config) *BootstrapEnvironment{
		"dev":  func(c *Config) *BootstrapEnvironment { return &c.Bootstrap.Dev },
		"prod": func(c *Config) *BootstrapEnvironment { return &c.Bootstrap.Prod },
	} {
		settings = append(settings, environmentSettings(name, env)...)
	}
	return sorted(settings)
}

func environmentSettings(name string, env func(*Config) *BootstrapEnvironment) []Setting {
	return []Setting{
		{
			Name: "secret-key-" + name, Secret: true, NoFlag: true,
			Usage: "API key of the environment " + name + " of a new database, a UUID version 4",
			set:   secretUUID(func(c *Config) secretField { return &env(c).SecretKey }), show: hidden,
		},
		{
			Name: "webhook-signing-key-" + name, Secret: true, NoFlag: true,
			Usage: "webhook signing key of the environment " + name + " of a new database",
			set:   secretText(func(c *Config) secretField { return &env(c).WebhookSigningKey }), show: hidden,
		},
		{
			Name: "public-key-" + name, NoFlag: true,
			Usage: "public key of the environment " + name + " of a new database, a UUID version 4",
			set:   publicUUID(func(c *Config) *string { return &env(c).PublicKey }),
		},
	}
}
