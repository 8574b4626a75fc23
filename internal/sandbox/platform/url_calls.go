package platform

import "strings"

// urlCall serves the functions behind the class URL.
func urlCall(r request) (answer, error) {
	switch r.name {
	case "url.parse":
		return urlParse(r)
	case "url.set":
		return urlSet(r)
	case "url.toASCII", "url.toUnicode":
		return urlDomain(r)
	default:
		return nil, errUnknown
	}
}

func invalidURL() error { return typeFault("ERR_INVALID_URL", "Invalid URL") }

func urlParse(r request) (answer, error) {
	p, err := params[struct {
		URL  string  `json:"url"`
		Base *string `json:"base"`
	}](r)
	if err != nil {
		return nil, err
	}
	var base *address
	if p.Base != nil {
		if base, err = parseAddress(*p.Base, nil); err != nil {
			return nil, invalidURL()
		}
	}
	u, err := parseAddress(p.URL, base)
	if err != nil {
		return nil, invalidURL()
	}
	return u.members(), nil
}

func urlSet(r request) (answer, error) {
	p, err := params[struct {
		Href  string `json:"href"`
		Part  string `json:"part"`
		Value string `json:"value"`
	}](r)
	if err != nil {
		return nil, err
	}
	u, err := parseAddress(p.Href, nil)
	if err != nil {
		return nil, invalidURL()
	}
	u.set(p.Part, p.Value)
	return u.members(), nil
}

// set does what assigning to a property of a URL does.
func (a *address) set(part, value string) {
	switch part {
	case "protocol":
		setAddress(a, value+":", stateSchemeStart)
	case "username":
		if !a.cannotHaveCredentials() {
			a.username = percentEncode(value, encodeUserinfo)
		}
	case "password":
		if !a.cannotHaveCredentials() {
			a.password = percentEncode(value, encodeUserinfo)
		}
	case "host":
		if !a.hasOpaque {
			setAddress(a, value, stateHost)
		}
	case "hostname":
		if !a.hasOpaque {
			setAddress(a, value, stateHostname)
		}
	case "port":
		switch {
		case a.cannotHaveCredentials():
		case value == "":
			a.port = -1
		default:
			setAddress(a, value, statePort)
		}
	case "pathname":
		if !a.hasOpaque {
			a.path = nil
			setAddress(a, value, statePathStart)
		}
	case "search":
		a.query = nil
		if value != "" {
			setAddress(a, strings.TrimPrefix(value, "?"), stateQuery)
		}
	case "hash":
		a.fragment = nil
		if value != "" {
			setAddress(a, strings.TrimPrefix(value, "#"), stateFragment)
		}
	}
}

func urlDomain(r request) (answer, error) {
	domain, err := params[string](r)
	if err != nil {
		return nil, err
	}
	ascii, err := parseHost(domain, true)
	if err != nil || domain == "" {
		return "", nil //nolint:nilerr // an invalid domain is shown as the empty string
	}
	if r.name == "url.toUnicode" {
		return domainToUnicode(ascii), nil
	}
	return ascii, nil
}
