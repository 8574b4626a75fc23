package environment

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/linkspan/linkspan"
)

// maxAppName bounds the name of the customer's product in Connect UI, in
// characters: it is shown in one line of a phone.
const maxAppName = 60

// checkSettings refuses, with invalid_body and an issue for each problem,
// values that could never work.
func (s *Service) checkSettings(in Settings) error {
	var p problems
	p.callbackURL(in.CallbackURL)
	p.webhookURL(s.checkURL, in.Webhooks.PrimaryURL, "webhooks", "primary_url")
	p.webhookURL(s.checkURL, in.Webhooks.SecondaryURL, "webhooks", "secondary_url")
	look := in.ConnectUI
	p.color(look.LightPrimary, "connect_ui", "theme", "light", "primary")
	p.color(look.DarkPrimary, "connect_ui", "theme", "dark", "primary")
	p.theme(look.DefaultTheme)
	p.appName(look.AppName)
	p.logoURL(look.AppLogoURL)
	return p.err()
}

// checkHMAC refuses settings that ask browsers for a signature that nobody can
// make. It looks at them as they will be, but only when a change is about them.
func checkHMAC(in Settings, after linkspan.EnvironmentSettings) error {
	if in.HMACEnabled == nil && in.HMACKey == nil || !after.HMACEnabled || !after.HMACKey.IsZero() {
		return nil
	}
	var p problems
	if in.HMACEnabled != nil {
		p.add("hmac_enabled can't be on without hmac_key. Give both", "hmac_enabled")
	} else {
		p.add("hmac_key can't be removed while hmac_enabled is on. Switch that off as well", "hmac_key")
	}
	return p.err()
}

// problems collects what is wrong with settings.
type problems []linkspan.Issue

func (p *problems) add(message string, path ...any) {
	*p = append(*p, linkspan.Issue{Code: "custom", Message: message, Path: path})
}

func (p *problems) err() error {
	if len(*p) == 0 {
		return nil
	}
	e := linkspan.E("environment.checkSettings", linkspan.KindInvalid, "invalid_body", nil, "")
	e.Issues = *p
	return e
}

// callbackURL checks where providers send browsers back to. Codes that grant
// access arrive there, so they must travel encrypted or not at all.
func (p *problems) callbackURL(text *string) {
	if text == nil || *text == "" {
		return
	}
	u, err := url.Parse(*text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		p.add("Invalid URL", "callback_url")
	case u.Scheme == "http" && !linkspan.IsLoopback(u.Hostname()):
		p.add("The callback URL must be https, or http on this machine (localhost)", "callback_url")
	case u.User != nil || strings.Contains(*text, "#"):
		p.add("The callback URL must have no user name, password or fragment (#)", "callback_url")
	}
}

func (p *problems) webhookURL(policy func(*url.URL) error, text *string, path ...any) {
	if text == nil || *text == "" {
		return
	}
	u, err := url.Parse(*text)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		p.add("Invalid URL", path...)
		return
	}
	if policy != nil && policy(u) != nil {
		p.add("Webhooks can't be sent to this URL: it is refused by the outbound policy", path...)
	}
}

func (p *problems) color(text *string, path ...any) {
	if text == nil || *text == "" || isColor(*text) {
		return
	}
	p.add("The colour must be written as #rrggbb, such as #00b2e3", path...)
}

// isColor reports whether s is #rrggbb. Nothing else may reach a style sheet.
func isColor(s string) bool {
	if len(s) != 7 || s[0] != '#' {
		return false
	}
	return strings.Trim(s[1:], "0123456789abcdefABCDEF") == ""
}

func (p *problems) theme(text *string) {
	if text == nil {
		return
	}
	switch *text {
	case "", "light", "dark", "system":
	default:
		p.add("The default theme must be light, dark or system", "connect_ui", "default_theme")
	}
}

func (p *problems) appName(text *string) {
	if text != nil && utf8.RuneCountInString(*text) > maxAppName {
		p.add(fmt.Sprintf("The name must have at most %d characters", maxAppName), "connect_ui", "app_name")
	}
}

// logoURL checks the picture that Connect UI shows: browsers of end users load
// it into a page that is served over https.
func (p *problems) logoURL(text *string) {
	if text == nil || *text == "" {
		return
	}
	u, err := url.Parse(*text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		p.add("The logo must be an https URL without user name or password", "connect_ui", "app_logo_url")
	}
}
