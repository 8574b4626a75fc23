package connectui

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// words are all texts of one language. {app} stands for the customer's product,
// {provider} for the provider, {field} for the label of a field.
type words struct {
	// Lang is the language's tag; it goes into the document.
	Lang string
	// ThisApp stands for {app} when the customer's product has no name,
	// ThisProvider for {provider} when it is not known whom a failure is about.
	ThisApp, ThisProvider string

	Close, Back, Cancel, TryAgain, Finish, Loading string

	ListTitle, ListTitleApp, ListText    string
	Search, SearchHint, SearchButton     string
	Popular, All, Found, FoundOne        string
	NothingFound, NothingFoundText       string
	Nothing, NothingText, More, NotReady string

	CardTitle, CardTitleApp, ReconnectTitle, ReconnectText string
	FactSignIn, FactRevoke, FactKey, FactStored, FactNone  string
	Permissions, PermissionsText                           string
	Connect, Reconnect, Continue, Checking, Opening        string

	APIKey, Username, Password, OwnClientID, OwnClientSecret, OwnClientHelp string

	Optional, WhereFind, Choose, Show, NewTab string

	Required, RequiredChoice, BadChoice, BadHost, BadURL, BadUUID, BadEmail, BadPattern, TooLong, Example, CheckFields string

	WaitTitle, WaitText, WaitClosed, Reopen string

	DoneTitle, DoneAgainTitle, DoneText, DoneCloses, DoneStandalone, DoneWindow string

	Denied, Refused, WrongDetails, Down, WindowClosed, Blocked, Expired, NoToken, Stale,
	NotSetUp, NotOffered, Unsupported, Gone, Unknown, Pending, Offline problemWords

	OpenProvider, GoBack, Code, ForDevelopers, ProviderSaid, Secured string
}

// problemWords say what happened (Title), and why and what to do (Text).
type problemWords struct{ Title, Text string }

// languages returns the texts of all languages, English first.
func languages() []*words {
	return []*words{english(), german(), french(), spanish(), japanese(), portuguese()}
}

// pickWords chooses the language: the one that is asked for, else the best of an
// Accept-Language header (RFC 9110, 12.5.4), else English.
func pickWords(all []*words, asked, accept string) *words {
	if w := findWords(all, asked); w != nil {
		return w
	}
	var best *words
	bestQuality := 0.0
	for i, part := range strings.SplitN(accept, ",", maxAccepted+1) {
		if i == maxAccepted {
			break
		}
		tag, params, _ := strings.Cut(part, ";")
		quality := 1.0
		if q, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			parsed, err := strconv.ParseFloat(q, 64)
			if err != nil {
				continue
			}
			quality = parsed
		}
		if w := findWords(all, strings.TrimSpace(tag)); w != nil && quality > bestQuality {
			best, bestQuality = w, quality
		}
	}
	if best != nil {
		return best
	}
	return all[0]
}

// maxAccepted is how many languages of a header are looked at.
const maxAccepted = 20

func findWords(all []*words, tag string) *words {
	primary, _, _ := strings.Cut(strings.ReplaceAll(tag, "_", "-"), "-")
	for _, w := range all {
		if strings.EqualFold(w.Lang, primary) {
			return w
		}
	}
	return nil
}

// say fills placeholders, given as pairs of name and value, and begins the
// sentence with a capital.
func say(text string, pairs ...string) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		pairs[i] = "{" + pairs[i] + "}"
	}
	text = strings.NewReplacer(pairs...).Replace(text)
	first, size := utf8.DecodeRuneInString(text)
	if unicode.IsUpper(first) || size == 0 {
		return text
	}
	return string(unicode.ToUpper(first)) + text[size:]
}
