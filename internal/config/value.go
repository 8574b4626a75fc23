package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/vault"
)

const (
	redacted = "[redacted]"
	// minSigningKey is the least length of a signing key that was given.
	minSigningKey = 16
)

type (
	setter      = func(*Config, string) error
	secretField = *linkspan.Secret
)

func sorted(settings []Setting) []Setting {
	slices.SortFunc(settings, func(a, b Setting) int { return strings.Compare(a.Name, b.Name) })
	return settings
}

func hidden(*Config) string { return redacted }

func text(field func(*Config) *string) setter {
	return func(c *Config, s string) error {
		*field(c) = s
		return nil
	}
}

func onOff(field func(*Config) *bool) setter {
	return func(c *Config, s string) error {
		v, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", s)
		}
		*field(c) = v
		return nil
	}
}

func count(field func(*Config) *int) setter {
	return func(c *Config, s string) error {
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			return fmt.Errorf("%q is not a whole number from 0 on", s)
		}
		*field(c) = int(n)
		return nil
	}
}

func atLeastOne(field func(*Config) *int) setter {
	return func(c *Config, s string) error {
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil || n == 0 {
			return fmt.Errorf("%q is not a whole number from 1 on", s)
		}
		*field(c) = int(n)
		return nil
	}
}

const day = 24 * time.Hour

// duration reads a span of time such as 90s, 15m or 30d.
func duration(field func(*Config) *time.Duration, least, most time.Duration) setter {
	return func(c *Config, s string) error {
		d, err := parseDuration(strings.TrimSpace(s))
		if err != nil {
			return fmt.Errorf("%q is not a duration such as 30s, 15m or 30d", s)
		}
		if d < least || d > most {
			return fmt.Errorf("%q is not from %s to %s", s, least, most)
		}
		*field(c) = d
		return nil
	}
}

// parseDuration is time.ParseDuration that also knows whole days.
func parseDuration(s string) (time.Duration, error) {
	const most = 100_000 // more don't fit
	if digits, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(digits, 10, 31); err == nil && n <= most {
			return time.Duration(n) * day, nil
		}
	}
	return time.ParseDuration(s) //nolint:wrapcheck // its caller says what was wrong
}

// orNever also takes the word "never", which is zero.
func orNever(set setter, field func(*Config) *time.Duration) setter {
	return func(c *Config, s string) error {
		if strings.EqualFold(strings.TrimSpace(s), "never") {
			*field(c) = 0
			return nil
		}
		return set(c, s)
	}
}

// size reads a number of bytes with an optional unit of 1024 or a power of it.
func size(field func(*Config) *int64, least int64) setter {
	return func(c *Config, s string) error {
		digits, shift := strings.ToUpper(strings.TrimSpace(s)), 0
		for unit, by := range map[string]int{"KB": 10, "MB": 20, "GB": 30} {
			if rest, ok := strings.CutSuffix(digits, unit); ok {
				digits, shift = strings.TrimSpace(rest), by
				break
			}
		}
		n, err := strconv.ParseUint(digits, 10, 32)
		if err != nil {
			return fmt.Errorf("%q is not a size such as 500KB, 75MB or 2GB", s)
		}
		*field(c) = int64(n) << shift
		if *field(c) < least {
			return fmt.Errorf("%q is too small", s)
		}
		return nil
	}
}

func setDeniedHosts(c *Config, s string) error {
	var hosts []string
	for part := range strings.SplitSeq(s, ",") {
		host := strings.TrimSpace(part)
		name := strings.Trim(strings.TrimPrefix(host, "."), "[]")
		if _, err := netip.ParseAddr(name); err != nil && (name == "" || strings.ContainsAny(name, ":/@*?# ")) {
			return fmt.Errorf("%q is not a host name; write example.com, or .example.com to include all below", host)
		}
		hosts = append(hosts, host)
	}
	c.DeniedHosts = hosts
	return nil
}

func oneOf(field func(*Config) *string, values ...string) setter {
	return func(c *Config, s string) error {
		if !slices.Contains(values, s) {
			return fmt.Errorf("%q is not one of %s", s, strings.Join(values, ", "))
		}
		*field(c) = s
		return nil
	}
}

func address(field func(*Config) *string) setter {
	return func(c *Config, s string) error {
		_, port, err := net.SplitHostPort(s)
		if err != nil {
			return fmt.Errorf("%q is not an address such as 127.0.0.1:3003 or :3003", s)
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return fmt.Errorf("the port of %q is not a number from 0 to 65535", s)
		}
		*field(c) = s
		return nil
	}
}

func secretText(field func(*Config) secretField) setter {
	return func(c *Config, s string) error {
		if len(s) < minSigningKey {
			return fmt.Errorf("the key is shorter than %d characters", minSigningKey)
		}
		*field(c) = linkspan.NewSecret(s)
		return nil
	}
}

func secretUUID(field func(*Config) secretField) setter {
	return func(c *Config, s string) error {
		if !linkspan.IsUUIDv4(s) {
			return errors.New("the key is not a UUID version 4")
		}
		*field(c) = linkspan.NewSecret(strings.ToLower(s))
		return nil
	}
}

func publicUUID(field func(*Config) *string) setter {
	return func(c *Config, s string) error {
		if !linkspan.IsUUIDv4(s) {
			return fmt.Errorf("%q is not a UUID version 4", s)
		}
		*field(c) = strings.ToLower(s)
		return nil
	}
}

func setRole(c *Config, s string) error {
	switch r := Role(s); r {
	case RoleAll, RoleAPI, RoleWorker:
		c.Role = r
		return nil
	default:
		return fmt.Errorf("%q is not one of all, api, worker", s)
	}
}

func setPublicURL(c *Config, s string) error {
	if err := checkBaseURL("public URL", s); err != nil {
		return err
	}
	c.PublicURL = strings.TrimRight(s, "/")
	return nil
}

func setConnectURL(c *Config, s string) error {
	if err := checkBaseURL("URL of Connect UI", s); err != nil {
		return err
	}
	c.ConnectURL = strings.TrimRight(s, "/") + "/"
	return nil
}

// checkBaseURL refuses what paths and queries can't be added to.
func checkBaseURL(what, s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return fmt.Errorf("%q is not an http or https URL", s)
	}
	if u.User != nil || strings.ContainsAny(s, "?#") {
		return fmt.Errorf("the %s has only a scheme, a host, perhaps a port and a path", what)
	}
	return nil
}

// setDatabase never repeats the URL in an error: it may hold a password.
func setDatabase(c *Config, s string) error {
	u, err := url.Parse(s)
	if err != nil {
		return errors.New("it is not a URL; write special characters of the password percent-encoded")
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return errors.New("it is not a URL of the form postgres://user:password@host:5432/name")
	}
	c.DatabaseURL = linkspan.NewSecret(s)
	return nil
}

// redactURL keeps what helps to recognise the database.
func redactURL(s linkspan.Secret) string {
	u, err := url.Parse(s.Reveal())
	if err != nil {
		return redacted
	}
	clean := &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	out := clean.String()
	if u.User == nil {
		return out
	}
	user := url.User(u.User.Username()).String()
	if _, ok := u.User.Password(); ok {
		user += ":" + redacted
	}
	return strings.Replace(out, "://", "://"+user+"@", 1)
}

func setEncryptionKey(c *Config, s string) error {
	key := linkspan.NewSecret(s)
	if _, err := vault.ParseMasterKey(key); err != nil {
		return err
	}
	c.EncryptionKey = key
	return nil
}

func setOldEncryptionKeys(c *Config, s string) error {
	for i, part := range strings.Split(s, ",") {
		key := linkspan.NewSecret(strings.TrimSpace(part))
		if _, err := vault.ParseMasterKey(key); err != nil {
			return fmt.Errorf("key %d: %w", i+1, err)
		}
		c.OldEncryptionKeys = append(c.OldEncryptionKeys, key)
	}
	return nil
}
