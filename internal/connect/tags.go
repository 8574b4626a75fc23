package connect

import (
	"fmt"
	"maps"
	"net/mail"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/linkspan/linkspan"
)

// Limits of tags (features TAG-02).
const (
	maxTags       = 10
	maxTagKey     = 64
	maxTagValue   = 255
	tagKeyPattern = `^[a-zA-Z][a-zA-Z0-9_\-./]*$`
	emailTag      = "end_user_email"
)

// Tags checks tags that a caller gave and returns them with lower-case keys.
// Problems are issues under path. Nil stays nil.
func Tags(given map[string]string, path ...any) (map[string]string, []linkspan.Issue) {
	if given == nil {
		return nil, nil
	}
	var issues []linkspan.Issue
	add := func(code, message string, at ...any) {
		issues = append(issues, linkspan.Issue{Code: code, Message: message, Path: append(slices.Clone(path), at...)})
	}
	out := make(map[string]string, len(given))
	for _, key := range slices.Sorted(maps.Keys(given)) {
		value, lower := given[key], strings.ToLower(key)
		switch _, taken := out[lower]; {
		case !isTagKey(key):
			add("invalid_key", "Invalid key in record: must match pattern /"+tagKeyPattern+"/", key)
			continue
		case len(key) > maxTagKey:
			add("invalid_key", fmt.Sprintf("Invalid key in record: expected at most %d characters", maxTagKey), key)
			continue
		case taken:
			add("custom", fmt.Sprintf("Duplicate tag key: %q differs from another one only in case", key), key)
			continue
		}
		switch n := utf8.RuneCountInString(value); {
		case n == 0:
			add("too_small", "Too small: expected string to have >=1 characters", key)
		case n > maxTagValue:
			add("too_big", fmt.Sprintf("Too big: expected string to have <=%d characters", maxTagValue), key)
		case lower == emailTag && !isEmail(value):
			add("invalid_format", "Invalid email address", key)
		}
		out[lower] = value
	}
	if len(given) > maxTags {
		add("custom", fmt.Sprintf("Too many tags: at most %d are allowed", maxTags))
	}
	return out, issues
}

// isTagKey matches tagKeyPattern.
func isTagKey(key string) bool {
	return key != "" && isLetter(rune(key[0])) && !strings.ContainsFunc(key, func(r rune) bool {
		return !isLetter(r) && (r < '0' || r > '9') && !strings.ContainsRune("_-./", r)
	})
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

func isEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && strings.Contains(s[strings.LastIndexByte(s, '@'):], ".")
}

// EndUserTags are the tags that stand for the older description of an end user
// (features TAG-05). Values that can't be tags are left out.
func EndUserTags(u *linkspan.EndUser) map[string]string {
	if u == nil {
		return nil
	}
	out := make(map[string]string)
	set := func(key, value string) {
		checked, issues := Tags(map[string]string{key: value})
		if len(issues) == 0 {
			maps.Copy(out, checked)
		}
	}
	for key, value := range u.Tags {
		set(key, value)
	}
	set("end_user_id", u.ID)
	set(emailTag, u.Email)
	set("end_user_display_name", u.DisplayName)
	if o := u.Organization; o != nil {
		set("organization_id", o.ID)
		set("organization_display_name", o.DisplayName)
	}
	return out
}

// MergeTags adds the tags that stand for an end user to explicit ones, which
// win. When that makes too many, the explicit ones stay alone (wire contract
// §4.5).
func MergeTags(explicit map[string]string, u *linkspan.EndUser) map[string]string {
	out := EndUserTags(u)
	if out == nil {
		out = make(map[string]string, len(explicit))
	}
	maps.Copy(out, explicit)
	if len(out) > maxTags {
		return maps.Clone(explicit)
	}
	return out
}
