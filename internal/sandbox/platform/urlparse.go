package platform

import (
	"errors"
	"strconv"
	"strings"
)

var errURL = errors.New("invalid URL")

type urlState int

const (
	stateNone urlState = iota
	stateSchemeStart
	stateScheme
	stateNoScheme
	stateSpecialRelativeOrAuthority
	statePathOrAuthority
	stateRelative
	stateRelativeSlash
	stateSpecialAuthoritySlashes
	stateSpecialAuthorityIgnoreSlashes
	stateAuthority
	stateHost
	stateHostname
	statePort
	stateFile
	stateFileSlash
	stateFileHost
	statePathStart
	statePath
	stateOpaquePath
	stateQuery
	stateFragment
)

// end is what the parser sees after the last code point.
const end rune = -1

// urlParser is the basic URL parser of the WHATWG URL standard: a state machine
// over code points. With an override it sets one part of an existing record.
type urlParser struct {
	input       []rune
	at          int
	url         *address
	base        *address
	state       urlState
	override    urlState
	buffer      strings.Builder
	sawAt       bool
	sawPassword bool
	inBrackets  bool
	done        bool
}

// parseAddress parses a URL, relative to base unless that is nil.
func parseAddress(input string, base *address) (*address, error) {
	input = strings.TrimFunc(input, func(c rune) bool { return c <= 0x20 })
	p := &urlParser{input: withoutBreaks(input), base: base, url: &address{port: -1}, state: stateSchemeStart}
	if err := p.run(); err != nil {
		return nil, err
	}
	return p.url, nil
}

// setAddress parses input into one part of u. It leaves u as it was on errors.
func setAddress(u *address, input string, override urlState) {
	c := *u
	c.path = append([]string(nil), u.path...)
	p := &urlParser{input: withoutBreaks(input), url: &c, state: override, override: override}
	// A host is taken even when the port behind it is none.
	if p.run() == nil || override == stateHost && p.state == statePort {
		*u = c
	}
}

func withoutBreaks(s string) []rune {
	if strings.ContainsAny(s, "\t\n\r") {
		s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	}
	return []rune(s)
}

func (p *urlParser) run() error {
	for ; p.at <= len(p.input) && !p.done; p.at++ {
		if err := p.step(p.peek(0)); err != nil {
			return err
		}
	}
	return nil
}

func (p *urlParser) peek(ahead int) rune {
	if i := p.at + ahead; i >= 0 && i < len(p.input) {
		return p.input[i]
	}
	return end
}

func (p *urlParser) take() string {
	s := p.buffer.String()
	p.buffer.Reset()
	return s
}

// again handles the current code point in another state.
func (p *urlParser) again(s urlState) {
	p.state = s
	p.at--
}

func (p *urlParser) step(c rune) error {
	switch p.state {
	case stateSchemeStart, stateScheme:
		return p.scheme(c)
	case stateNoScheme:
		return p.noScheme(c)
	case stateSpecialRelativeOrAuthority:
		if c == '/' && p.peek(1) == '/' {
			p.state = stateSpecialAuthorityIgnoreSlashes
			p.at++
		} else {
			p.again(stateRelative)
		}
	case statePathOrAuthority:
		if c == '/' {
			p.state = stateAuthority
		} else {
			p.again(statePath)
		}
	case stateRelative, stateRelativeSlash:
		p.relative(c)
	case stateSpecialAuthoritySlashes:
		if c == '/' && p.peek(1) == '/' {
			p.state = stateSpecialAuthorityIgnoreSlashes
			p.at++
		} else {
			p.again(stateSpecialAuthorityIgnoreSlashes)
		}
	case stateSpecialAuthorityIgnoreSlashes:
		if c != '/' && c != '\\' {
			p.again(stateAuthority)
		}
	case stateAuthority:
		return p.authority(c)
	case stateHost, stateHostname:
		return p.hostname(c)
	case statePort:
		return p.port(c)
	case stateFile, stateFileSlash:
		p.file(c)
	case stateFileHost:
		return p.fileHost(c)
	case statePathStart:
		p.pathStart(c)
	case statePath:
		p.path(c)
	case stateOpaquePath:
		p.opaquePath(c)
	case stateQuery:
		p.query(c)
	default:
		p.fragment()
	}
	return nil
}

func (p *urlParser) scheme(c rune) error {
	if p.state == stateSchemeStart {
		if isAlpha(c) {
			p.buffer.WriteRune(c | 0x20)
			p.state = stateScheme
			return nil
		}
		if p.override != stateNone {
			return errURL
		}
		p.again(stateNoScheme)
		return nil
	}
	switch {
	case isAlpha(c):
		p.buffer.WriteRune(c | 0x20)
	case isDigit(c) || c == '+' || c == '-' || c == '.':
		p.buffer.WriteRune(c)
	case c == ':':
		return p.schemeEnd()
	case p.override != stateNone:
		return errURL
	default:
		p.buffer.Reset()
		p.at = -1
		p.state = stateNoScheme
	}
	return nil
}

func (p *urlParser) schemeEnd() error {
	scheme := p.take()
	u := p.url
	if p.override != stateNone {
		port, special := defaultPort(scheme)
		if u.special() != special ||
			(u.username != "" || u.password != "" || u.port >= 0) && scheme == "file" ||
			u.scheme == "file" && u.host == "" {
			return errURL
		}
		u.scheme = scheme
		if u.port == port {
			u.port = -1
		}
		p.done = true
		return nil
	}
	u.scheme = scheme
	switch {
	case scheme == "file":
		p.state = stateFile
	case u.special() && p.base != nil && p.base.scheme == scheme:
		p.state = stateSpecialRelativeOrAuthority
	case u.special():
		p.state = stateSpecialAuthoritySlashes
	case p.peek(1) == '/':
		p.state = statePathOrAuthority
		p.at++
	default:
		u.hasOpaque = true
		p.state = stateOpaquePath
	}
	return nil
}

func (p *urlParser) noScheme(c rune) error {
	switch {
	case p.base == nil || p.base.hasOpaque && c != '#':
		return errURL
	case p.base.hasOpaque:
		*p.url = *p.base
		p.url.fragment = new("")
		p.state = stateFragment
	case p.base.scheme != "file":
		p.again(stateRelative)
	default:
		p.again(stateFile)
	}
	return nil
}

func (p *urlParser) inheritAuthority() {
	u, b := p.url, p.base
	u.username, u.password, u.host, u.hasHost, u.port = b.username, b.password, b.host, b.hasHost, b.port
}

func (p *urlParser) inheritPath() {
	p.url.path = append([]string(nil), p.base.path...)
}

func (p *urlParser) relative(c rune) {
	u := p.url
	if p.state == stateRelativeSlash {
		switch {
		case u.special() && (c == '/' || c == '\\'):
			p.state = stateSpecialAuthorityIgnoreSlashes
		case c == '/':
			p.state = stateAuthority
		default:
			p.inheritAuthority()
			p.again(statePath)
		}
		return
	}
	u.scheme = p.base.scheme
	if c == '/' || u.special() && c == '\\' {
		p.state = stateRelativeSlash
		return
	}
	p.inheritAuthority()
	p.inheritPath()
	u.query = p.base.query
	switch c {
	case '?':
		u.query = new("")
		p.state = stateQuery
	case '#':
		u.fragment = new("")
		p.state = stateFragment
	case end:
	default:
		u.query = nil
		u.shorten()
		p.again(statePath)
	}
}

func (p *urlParser) endOfAuthority(c rune) bool {
	return c == end || c == '/' || c == '?' || c == '#' || p.url.special() && c == '\\'
}

func (p *urlParser) authority(c rune) error {
	if c == '@' {
		text := p.take()
		if p.sawAt {
			text = "%40" + text
		}
		p.sawAt = true
		name, password, has := "", text, false
		if !p.sawPassword {
			name, password, has = strings.Cut(text, ":")
		}
		p.url.username += percentEncode(name, encodeUserinfo)
		p.url.password += percentEncode(password, encodeUserinfo)
		p.sawPassword = p.sawPassword || has
		return nil
	}
	if !p.endOfAuthority(c) {
		p.buffer.WriteRune(c)
		return nil
	}
	text := p.take()
	if p.sawAt && text == "" {
		return errURL
	}
	p.at -= len([]rune(text)) + 1
	p.state = stateHost
	return nil
}

func (p *urlParser) hostname(c rune) error {
	u := p.url
	switch {
	case p.override != stateNone && u.scheme == "file":
		p.again(stateFileHost)
		return nil
	case c == ':' && !p.inBrackets:
		if p.buffer.Len() == 0 || p.override == stateHostname {
			return errURL
		}
		if err := p.setHost(); err != nil {
			return err
		}
		p.state = statePort
		return nil
	case p.endOfAuthority(c):
		p.at--
		if u.special() && p.buffer.Len() == 0 {
			return errURL
		}
		if p.override != stateNone && p.buffer.Len() == 0 &&
			(u.username != "" || u.password != "" || u.port >= 0) {
			return errURL
		}
		p.state = statePathStart
		p.done = p.override != stateNone
		return p.setHost()
	}
	switch c {
	case '[':
		p.inBrackets = true
	case ']':
		p.inBrackets = false
	}
	p.buffer.WriteRune(c)
	return nil
}

func (p *urlParser) setHost() error {
	host, err := "", error(nil)
	if text := p.take(); text != "" {
		host, err = parseHost(text, p.url.special())
	}
	p.url.host, p.url.hasHost = host, true
	return err
}

func (p *urlParser) port(c rune) error {
	if isDigit(c) {
		p.buffer.WriteRune(c)
		return nil
	}
	if !p.endOfAuthority(c) && p.override == stateNone {
		return errURL
	}
	if text := p.take(); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return errURL
		}
		p.url.port = int(n)
		if port, special := defaultPort(p.url.scheme); special && port == p.url.port {
			p.url.port = -1
		}
		p.done = p.override != stateNone
	}
	if p.override != stateNone {
		if !p.done {
			return errURL
		}
		return nil
	}
	p.again(statePathStart)
	return nil
}

func (p *urlParser) file(c rune) {
	u, b := p.url, p.base
	if p.state == stateFileSlash {
		if c == '/' || c == '\\' {
			p.state = stateFileHost
			return
		}
		if b != nil && b.scheme == "file" {
			u.host, u.hasHost = b.host, b.hasHost
			if !startsWithDriveLetter(p.fromHere()) && len(b.path) > 0 && isNormalizedDriveLetter(b.path[0]) {
				u.path = append(u.path, b.path[0])
			}
		}
		p.again(statePath)
		return
	}
	u.scheme, u.host, u.hasHost = "file", "", true
	switch {
	case c == '/' || c == '\\':
		p.state = stateFileSlash
	case b == nil || b.scheme != "file":
		p.again(statePath)
	default:
		p.fileRelative(c)
	}
}

func (p *urlParser) fileRelative(c rune) {
	u, b := p.url, p.base
	u.host, u.hasHost, u.query = b.host, b.hasHost, b.query
	p.inheritPath()
	switch c {
	case '?':
		u.query = new("")
		p.state = stateQuery
	case '#':
		u.fragment = new("")
		p.state = stateFragment
	case end:
	default:
		u.query = nil
		if startsWithDriveLetter(p.fromHere()) {
			u.path = nil
		} else {
			u.shorten()
		}
		p.again(statePath)
	}
}

func (p *urlParser) fromHere() []rune {
	if p.at >= len(p.input) {
		return nil
	}
	return p.input[p.at:]
}

func (p *urlParser) fileHost(c rune) error {
	if c != end && c != '/' && c != '\\' && c != '?' && c != '#' {
		p.buffer.WriteRune(c)
		return nil
	}
	p.at--
	text := p.buffer.String()
	switch {
	case p.override == stateNone && isDriveLetter(text):
		p.state = statePath // the buffer is the beginning of the path
		return nil
	case text == "":
		p.url.host, p.url.hasHost = "", true
	default:
		p.buffer.Reset()
		host, err := parseHost(text, true)
		if err != nil {
			return err
		}
		if host == "localhost" {
			host = ""
		}
		p.url.host, p.url.hasHost = host, true
	}
	p.done = p.override != stateNone
	p.state = statePathStart
	return nil
}

func (p *urlParser) pathStart(c rune) {
	u := p.url
	switch {
	case u.special():
		p.state = statePath
		if c != '/' && c != '\\' {
			p.at--
		}
	case p.override == stateNone && c == '?':
		u.query = new("")
		p.state = stateQuery
	case p.override == stateNone && c == '#':
		u.fragment = new("")
		p.state = stateFragment
	case c != end:
		p.state = statePath
		if c != '/' {
			p.at--
		}
	case p.override != stateNone && !u.hasHost:
		u.path = append(u.path, "")
	}
}

func (p *urlParser) path(c rune) {
	u := p.url
	slash := c == '/' || u.special() && c == '\\'
	if !slash && c != end && (p.override != stateNone || c != '?' && c != '#') {
		p.buffer.WriteRune(c)
		return
	}
	segment := percentEncode(p.take(), encodePath)
	switch {
	case isDoubleDot(segment):
		u.shorten()
		if !slash {
			u.path = append(u.path, "")
		}
	case isSingleDot(segment):
		if !slash {
			u.path = append(u.path, "")
		}
	default:
		if u.scheme == "file" && len(u.path) == 0 && isDriveLetter(segment) {
			segment = segment[:1] + ":"
		}
		u.path = append(u.path, segment)
	}
	switch c {
	case '?':
		u.query = new("")
		p.state = stateQuery
	case '#':
		u.fragment = new("")
		p.state = stateFragment
	}
}

func (p *urlParser) opaquePath(c rune) {
	if c != '?' && c != '#' && c != end {
		p.buffer.WriteRune(c)
		return
	}
	p.url.opaque = percentEncode(p.take(), encodeControl)
	switch c {
	case '?':
		p.url.query = new("")
		p.state = stateQuery
	case '#':
		p.url.fragment = new("")
		p.state = stateFragment
	}
}

func (p *urlParser) query(c rune) {
	if c != end && (p.override != stateNone || c != '#') {
		p.buffer.WriteRune(c)
		return
	}
	set := encodeQuery
	if p.url.special() {
		set = encodeSpecialQuery
	}
	p.url.query = new(percentEncode(p.take(), set))
	if c == '#' {
		p.url.fragment = new("")
		p.state = stateFragment
	}
}

// fragment takes everything that is left.
func (p *urlParser) fragment() {
	text := string(p.fromHere())
	p.url.fragment = new(percentEncode(text, encodeFragment))
	p.at = len(p.input)
}
