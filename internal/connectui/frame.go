package connectui

import (
	"net/url"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/a-h/templ"

	"github.com/linkspan/linkspan"
)

// htmxConfig turns off what the policy forbids anyway, and shows the answers to
// failed requests, which are views as well.
const htmxConfig = `{"historyEnabled":false,"includeIndicatorStyles":false,"allowEval":false,"allowScriptTags":false,"selfRequestsOnly":true,` +
	`"defaultSettleDelay":0,"timeout":90000,"responseHandling":[{"code":"204","swap":false},{"code":"...","swap":true}]}`

// pathEscape escapes an integration's key for a path.
func pathEscape(key string) string { return url.PathEscape(key) }

// path is the path of an action on an integration.
func (f frame) path(key, action string) string {
	return f.Base + "/integrations/" + pathEscape(key) + action
}

// documentTitle names the document. The script keeps it in step with the view.
func (f frame) documentTitle() string {
	if f.appInHeading() {
		return f.say(f.W.ListTitleApp, "")
	}
	return f.W.ListTitle
}

// appInHeading reports whether there is a name of the customer's product that is
// short enough for a heading.
func (f frame) appInHeading() bool {
	return f.App != "" && utf8.RuneCountInString(f.App) <= maxHeadingApp
}

// styleElement holds the colours of the environment.
func (f frame) styleElement() string {
	return `<style nonce="` + f.Nonce + `">` + f.Look.sheet() + `</style>`
}

// initial stands for an app without a logo.
func (f frame) initial() string {
	for _, r := range f.App {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return "?"
}

// found says how many integrations there are, for screen readers.
func (v listView) found() string {
	if v.Total == 1 {
		return v.W.FoundOne
	}
	return say(v.W.Found, "count", strconv.Itoa(v.Total))
}

// event is the name by which the card is counted (wire contract §4.13).
func (v cardView) event() string {
	if v.Code != "" {
		return "view:credentials_error"
	}
	return "view:integration"
}

// heard is what the page around hears of the problem.
func (v problemView) heard() string {
	if v.Detail != "" {
		return v.Detail
	}
	return v.text()
}

// offlineView and missingView are shown by the script when it can't ask.
func offlineView(f frame) problemView {
	return problemView{frame: f, words: f.W.Offline, Code: "offline"}
}

func missingView(f frame) problemView {
	return problemView{frame: f, words: f.W.NoToken, Calm: true, Code: codeNoToken}
}

// common are the attributes that all controls of a form share. The texts are for
// the script, which checks a value when its input is left.
func (in field) common(f frame) templ.Attributes {
	attributes := templ.Attributes{
		"aria-describedby": in.Describedby(), "maxlength": strconv.Itoa(maxValue + len(in.Prefix) + len(in.Suffix)),
		"data-prefix": in.Prefix, "data-suffix": in.Suffix,
	}
	if in.Required {
		attributes["required"] = true
		attributes["data-required"] = requiredWords(f.W, in.Label, len(in.Choices) > 0)
	}
	if in.Error != "" {
		attributes["aria-invalid"] = "true"
	}
	if len(in.Choices) > 0 {
		delete(attributes, "maxlength")
		return attributes
	}
	attributes["type"] = "text"
	if in.Secret {
		attributes["type"] = "password"
	}
	attributes["autocomplete"] = "off"
	attributes["autocapitalize"] = "none"
	attributes["spellcheck"] = "false"
	if in.Pattern != "" {
		attributes["data-pattern"] = in.Pattern
		attributes["data-invalid"] = patternWords(f.W, in.Placeholder)
	}
	if in.Format != "" {
		attributes["data-format"] = in.Format
		attributes["data-format-invalid"] = formatWords(f.W, in.Format)
	}
	switch in.Format {
	case "email":
		attributes["inputmode"] = "email"
	case "uri", "hostname":
		attributes["inputmode"] = "url"
	}
	return attributes
}

// kindOfStatus reads the kind of a failure off the status of its page.
func kindOfStatus(status int) linkspan.Kind {
	if status >= 500 {
		return linkspan.KindUnavailable
	}
	return linkspan.KindInvalid
}

// dress is how a view looks, for the script to apply.
func (f frame) dress() templ.Attributes {
	attributes := templ.Attributes{"data-look": f.Look.attribute(), "data-theme": f.Theme}
	if f.Watermark {
		attributes["data-secured"] = true
	}
	return attributes
}
