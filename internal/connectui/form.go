package connectui

import (
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/credential"
)

// The names of inputs begin with what they are for.
const (
	prefixCredential = "c."
	prefixSetting    = "s."
	inputOwnClientID = "o.client_id"
	inputOwnSecret   = "o.client_secret"
)

// Names under connection_config that ask for an OAuth app of the user's own:
// an empty text in the session's defaults shows the inputs (features TAG-07).
const (
	configOwnClientID = "oauth_client_id_override"
	configOwnSecret   = "oauth_client_secret_override"
)

// maxValue is how many characters a value may have (provider-semantics §1.8).
const maxValue = 1024

// form is what a person is asked for to connect an account.
type form struct {
	credentials catalog.Fields
	settings    catalog.Fields
	ownClient   bool
	provider    string
	labels      map[string]string // of base fields that the provider leaves to us
}

// newForm makes the form of a provider. What the session's defaults decide is
// not asked for.
func newForm(w *words, p *catalog.Provider, defaults linkspan.IntegrationDefaults) form {
	f := form{labels: map[string]string{}, provider: shortName(p.DisplayName)}
	for _, base := range baseFields(p.Auth.Mode) {
		switch base.Name {
		case "apiKey":
			f.labels[base.Name] = w.APIKey
		case "username":
			f.labels[base.Name] = w.Username
		default:
			f.labels[base.Name] = w.Password
		}
		if own := p.Inputs.Credentials.Lookup(base.Name); own != nil {
			secret := base.Secret || own.Secret
			base, base.Secret = *own, secret
		}
		f.credentials = append(f.credentials, base)
	}
	for i := range p.Inputs.Credentials {
		if own := p.Inputs.Credentials[i]; f.credentials.Lookup(own.Name) == nil {
			f.credentials = append(f.credentials, own)
		}
	}
	for i := range p.Inputs.ConnectionConfig {
		setting := p.Inputs.ConnectionConfig[i]
		if _, decided := defaults.ConnectionConfig[setting.Name]; !decided && !setting.System {
			f.settings = append(f.settings, setting)
		}
	}
	f.credentials, f.settings = f.credentials.Ordered(), f.settings.Ordered()
	id, hasID := defaults.ConnectionConfig[configOwnClientID].(string)
	secret, hasSecret := defaults.ConnectionConfig[configOwnSecret].(string)
	f.ownClient = p.Auth.Mode == catalog.ModeOAuth2 && hasID && hasSecret && id == "" && secret == ""
	return f
}

// baseFields are the inputs that a mode has by itself (provider-semantics §1.8).
func baseFields(mode catalog.AuthMode) catalog.Fields {
	switch mode {
	case catalog.ModeAPIKey:
		return catalog.Fields{{Name: "apiKey", Required: true, Secret: true}}
	case catalog.ModeBasic:
		return catalog.Fields{{Name: "username"}, {Name: "password", Secret: true}}
	default:
		return nil
	}
}

// field is one input as the page shows it.
type field struct {
	Name, ID, Label, Help, Placeholder, Prefix, Suffix, Value string
	Pattern, Format                                           string
	Secret, Required                                          bool
	// Optional says so beside the label. Credentials never do: whether a user
	// name may be empty depends on the account.
	Optional bool
	Choices  []catalog.Choice
	// When names the input whose value decides whether this one is shown, and
	// Equals the value it must have. Empty: always.
	When, Equals string
	// Error says what is wrong with the value. Empty: nothing.
	Error string
}

// Describedby lists the ids of the texts that belong to the input.
func (f field) Describedby() string {
	ids := []string{f.ID + "-error"}
	if f.Help != "" {
		ids = append(ids, f.ID+"-help")
	}
	return strings.Join(ids, " ")
}

// entered is what a person entered, by the name of the input.
type entered struct {
	values   map[string]string
	problems map[string]string
}

// fields are the inputs to show: settings first when the account is elsewhere
// for everybody, because they say where; then the credentials.
func (f form) fields(w *words, in entered) []field {
	var out []field
	add := func(prefix string, list catalog.Fields) {
		for i := range list {
			if list[i].Asked() {
				out = append(out, f.field(prefix, &list[i], in))
			}
		}
	}
	add(prefixSetting, f.settings)
	add(prefixCredential, f.credentials)
	if f.ownClient {
		out = append(out,
			field{Name: inputOwnClientID, Label: w.OwnClientID, Help: w.OwnClientHelp, Value: in.values[inputOwnClientID], Optional: true},
			field{Name: inputOwnSecret, Label: w.OwnClientSecret, Secret: true, Optional: true})
	}
	for i := range out {
		out[i].ID = "f" + strings.NewReplacer(".", "-", "_", "-", " ", "-").Replace(out[i].Name)
		out[i].Error = in.problems[out[i].Name]
	}
	return out
}

func (f form) field(prefix string, from *catalog.Field, in entered) field {
	out := field{
		Name: prefix + from.Name, Label: f.label(prefix, from), Help: from.Help, Placeholder: from.Example,
		Prefix: from.Prefix, Suffix: from.Suffix, Pattern: from.Pattern.String(), Format: from.Format,
		Secret: from.Secret, Required: from.Required && from.Default == nil, Choices: from.Choices,
	}
	if f.addsNothing(out.Help, out.Label) {
		out.Help = ""
	}
	out.Optional = !out.Required && prefix == prefixSetting
	if value, ok := in.values[out.Name]; ok && !from.Secret {
		out.Value = value // secrets are not sent back; the script puts them in again
	} else if !ok && from.Default != nil {
		out.Value = *from.Default
	}
	if from.VisibleWhen != nil {
		out.When, out.Equals = prefix+from.VisibleWhen.Field, from.VisibleWhen.Equals
	}
	return out
}

// addsNothing reports whether a help text only repeats the label and the
// provider's name.
func (f form) addsNothing(help, label string) bool {
	solid := func(text string) string { return strings.ReplaceAll(strings.ToLower(text), " ", "") }
	rest := solid(help)
	for _, known := range []string{label, f.provider, "Choose your", "Your"} {
		rest = strings.ReplaceAll(rest, solid(known), "")
	}
	return !strings.ContainsFunc(rest, unicode.IsLetter)
}

// label prefers the provider's own title to ours to the bare name.
func (f form) label(prefix string, from *catalog.Field) string {
	if from.Title == "" && prefix == prefixCredential && f.labels[from.Name] != "" {
		return f.labels[from.Name]
	}
	return from.Label()
}

// read takes the values out of a submitted form, as they are meant: without
// spaces around, and without a prefix or suffix that was pasted along.
func (f form) read(post url.Values) entered {
	in := entered{values: map[string]string{}, problems: map[string]string{}}
	take := func(prefix string, list catalog.Fields) {
		for i := range list {
			if !list[i].Asked() {
				continue
			}
			if values, ok := post[prefix+list[i].Name]; ok {
				in.values[prefix+list[i].Name] = clean(values[0], list[i].Prefix, list[i].Suffix)
			}
		}
	}
	take(prefixSetting, f.settings)
	take(prefixCredential, f.credentials)
	if f.ownClient {
		in.values[inputOwnClientID] = strings.TrimSpace(post.Get(inputOwnClientID))
		in.values[inputOwnSecret] = strings.TrimSpace(post.Get(inputOwnSecret))
	}
	return in
}

// clean makes the value of an input from what was typed or pasted. The script
// does the same.
func clean(value, prefix, suffix string) string {
	value = strings.TrimSpace(value)
	if prefix != "" && len(value) >= len(prefix) && strings.EqualFold(value[:len(prefix)], prefix) {
		value = value[len(prefix):]
	}
	if suffix == "" {
		return value
	}
	// A whole address may have been pasted, with a path behind the suffix.
	if at := indexFold(value, suffix); at > 0 && (at+len(suffix) == len(value) || strings.ContainsRune("/?#:", rune(value[at+len(suffix)]))) {
		value = value[:at]
	}
	return value
}

// indexFold finds ASCII text regardless of case.
func indexFold(text, part string) int {
	for i := 0; i+len(part) <= len(text); i++ {
		if strings.EqualFold(text[i:i+len(part)], part) {
			return i
		}
	}
	return -1
}

// validate notes what is wrong with the values. The error is of a provider whose
// pattern is broken.
func (f form) validate(w *words, in entered) error {
	for prefix, list := range map[string]catalog.Fields{prefixSetting: f.settings, prefixCredential: f.credentials} {
		values := f.valuesOf(prefix, list, in)
		for i := range list {
			if !list[i].Asked() || !list.Visible(list[i].Name, values) {
				continue
			}
			problem, err := check(w, f.label(prefix, &list[i]), &list[i], values[list[i].Name])
			if err != nil {
				return err
			}
			if problem != "" {
				in.problems[prefix+list[i].Name] = problem
			}
		}
	}
	if (in.values[inputOwnClientID] == "") != (in.values[inputOwnSecret] == "") {
		for _, name := range []string{inputOwnClientID, inputOwnSecret} {
			if in.values[name] == "" {
				label := map[string]string{inputOwnClientID: w.OwnClientID, inputOwnSecret: w.OwnClientSecret}[name]
				in.problems[name] = say(w.Required, "field", label)
			}
		}
	}
	return nil
}

// valuesOf are the values of one kind of fields by their own names; hidden
// fields have their defaults.
func (f form) valuesOf(prefix string, list catalog.Fields, in entered) map[string]string {
	values := map[string]string{}
	for i := range list {
		name := list[i].Name
		if value, ok := in.values[prefix+name]; ok {
			values[name] = value
		} else if list[i].Default != nil {
			values[name] = *list[i].Default
		}
	}
	return values
}

// check says in words what is wrong with the value of the field with a label.
func check(w *words, label string, f *catalog.Field, value string) (string, error) {
	if len([]rune(value)) > maxValue {
		return say(w.TooLong, "max", "1024"), nil
	}
	err := f.Validate(value)
	if err == nil {
		return "", nil
	}
	refused, ok := err.(*catalog.FieldError) //nolint:errorlint // the catalogue returns it bare
	if !ok {
		return "", err
	}
	return describe(w, label, f, refused.Rule), nil
}

// describe puts a broken rule into words.
func describe(w *words, label string, f *catalog.Field, rule string) string {
	switch rule {
	case "required":
		return requiredWords(w, label, len(f.Choices) > 0)
	case "choices":
		return w.BadChoice
	case "format":
		return formatWords(w, f.Format)
	}
	return patternWords(w, f.Example)
}

// requiredWords ask for the value of the field with a label.
func requiredWords(w *words, label string, choice bool) string {
	if choice {
		return say(w.RequiredChoice, "field", label)
	}
	return say(w.Required, "field", label)
}

func formatWords(w *words, format string) string {
	switch format {
	case "hostname":
		return w.BadHost
	case "uri":
		return w.BadURL
	case "uuid":
		return w.BadUUID
	case "email":
		return w.BadEmail
	}
	return w.BadPattern
}

func patternWords(w *words, example string) string {
	if example == "" {
		return w.BadPattern
	}
	return w.BadPattern + " " + say(w.Example, "example", example)
}

// params are the settings to connect with: those that are shown and not empty.
func (f form) params(in entered) map[string]string {
	params := f.valuesOf(prefixSetting, f.settings, in)
	for name, value := range params {
		if value == "" || !f.settings.Visible(name, params) {
			delete(params, name)
		}
	}
	return params
}

// grant are the credentials to connect with.
func (f form) grant(mode catalog.AuthMode, in entered) credential.Credentials {
	values := f.valuesOf(prefixCredential, f.credentials, in)
	switch mode {
	case catalog.ModeAPIKey:
		return credential.NewAPIKey(values["apiKey"])
	case catalog.ModeBasic:
		return credential.NewBasic(values["username"], values["password"])
	default:
		return credential.NewNone()
	}
}

// blame marks the credentials as what the provider did not accept.
func (f form) blame(in entered, problem string) {
	for i := range f.credentials {
		if f.credentials[i].Asked() {
			in.problems[prefixCredential+f.credentials[i].Name] = problem
		}
	}
}

// scopes are the permissions that an OAuth provider will be asked for.
func scopes(i linkspan.Integration, defaults linkspan.IntegrationDefaults) []string {
	text := i.Secrets.Scopes
	if own, ok := defaults.ConnectionConfig["oauth_scopes_override"].(string); ok && own != "" {
		text = own
	}
	list := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	slices.Sort(list)
	return slices.Compact(list)
}
