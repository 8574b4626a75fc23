package platform

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// textCall serves conversions between text and bytes.
func textCall(r request) (answer, error) {
	switch r.name {
	case "text.encode":
		return r.body, nil // strings arrive as well-formed UTF-8
	case "text.label":
		return textLabel(r)
	case "text.decode":
		return textDecode(r)
	case "text.valid":
		return utf8.Valid(r.body), nil
	default:
		return nil, errUnknown
	}
}

func textLabel(r request) (answer, error) {
	label, err := params[string](r)
	if err != nil {
		return nil, err
	}
	if _, name, err := encodingOf(label); err == nil {
		return name, nil
	}
	return nil, rangeFault("ERR_ENCODING_NOT_SUPPORTED", "The %q encoding is not supported", label)
}

func encodingOf(label string) (encoding.Encoding, string, error) {
	e, err := htmlindex.Get(label)
	if err != nil {
		return nil, "", err
	}
	name, err := htmlindex.Name(e)
	if err != nil {
		return nil, "", err
	}
	switch name {
	case "utf-16le":
		e = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case "utf-16be":
		e = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	case "replacement", "x-user-defined":
		return nil, "", errors.New("not supported")
	}
	return e, name, nil
}

// decoded is an answer of text.decode: how many bytes were used, and their text.
// Bytes that are left over belong to a character of which more is to come.
type decoded struct {
	Used int    `json:"used"`
	Text string `json:"text"`
}

func textDecode(r request) (answer, error) {
	p, err := params[struct {
		Label  string `json:"label"`
		Fatal  bool   `json:"fatal"`
		Stream bool   `json:"stream"`
	}](r)
	if err != nil {
		return nil, err
	}
	e, name, err := encodingOf(p.Label)
	if err != nil {
		return nil, rangeFault("ERR_ENCODING_NOT_SUPPORTED", "The %q encoding is not supported", p.Label)
	}
	body := r.body
	var d decoded
	if name == "utf-8" {
		d = decodeUTF8(body, p.Stream)
		if p.Fatal && !utf8.Valid(body[:d.Used]) {
			return nil, invalidText(name)
		}
		return d, nil
	}
	d, err = decodeLegacy(e, body, p.Stream)
	if err != nil || p.Fatal && badText(name, body[:d.Used], d.Text) {
		return nil, invalidText(name)
	}
	return d, nil
}

func invalidText(name string) error {
	return typeFault("ERR_ENCODING_INVALID_ENCODED_DATA", "The encoded data was not valid for encoding %s", name)
}

// badText reports whether decoding replaced something.
func badText(name string, in []byte, out string) bool {
	if !strings.Contains(out, "\uFFFD") {
		return false
	}
	switch name {
	case "utf-16le":
		return strings.Count(out, "\uFFFD") != aligned(in, 0xfd, 0xff)
	case "utf-16be":
		return strings.Count(out, "\uFFFD") != aligned(in, 0xff, 0xfd)
	case "gb18030":
		return strings.Count(out, "\uFFFD") != bytes.Count(in, []byte{0x84, 0x31, 0xa4, 0x37})
	default:
		return true
	}
}

func aligned(in []byte, a, b byte) int {
	n := 0
	for i := 0; i+1 < len(in); i += 2 {
		if in[i] == a && in[i+1] == b {
			n++
		}
	}
	return n
}

// decodeUTF8 replaces each maximal invalid part with one U+FFFD, as the encoding
// standard says.
func decodeUTF8(in []byte, stream bool) decoded {
	used := len(in)
	if stream {
		used -= incompleteTail(in)
	}
	b := in[:used]
	if utf8.Valid(b) {
		return decoded{used, string(b)}
	}
	var out strings.Builder
	out.Grow(len(b) + 8)
	for len(b) > 0 {
		c, n := utf8.DecodeRune(b)
		if c == utf8.RuneError && n == 1 {
			n = invalidPrefix(b)
		}
		out.WriteRune(c)
		b = b[n:]
	}
	return decoded{used, out.String()}
}

// sequence says how long the sequence that c begins is, and which second bytes are allowed.
func sequence(c byte) (length int, low, high byte) {
	switch {
	case c >= 0xc2 && c <= 0xdf:
		return 2, 0x80, 0xbf
	case c == 0xe0:
		return 3, 0xa0, 0xbf
	case c == 0xed:
		return 3, 0x80, 0x9f
	case c >= 0xe1 && c <= 0xef:
		return 3, 0x80, 0xbf
	case c == 0xf0:
		return 4, 0x90, 0xbf
	case c >= 0xf1 && c <= 0xf3:
		return 4, 0x80, 0xbf
	case c == 0xf4:
		return 4, 0x80, 0x8f
	default:
		return 1, 0, 0
	}
}

// invalidPrefix returns how many bytes one replacement character stands for.
func invalidPrefix(b []byte) int {
	length, low, high := sequence(b[0])
	n := 1
	for n < length && n < len(b) && b[n] >= low && b[n] <= high {
		low, high = 0x80, 0xbf
		n++
	}
	return n
}

// incompleteTail returns how many bytes at the end begin a character.
func incompleteTail(b []byte) int {
	for back := 1; back <= 3 && back <= len(b); back++ {
		c := b[len(b)-back]
		if c < 0x80 {
			return 0
		}
		if c >= 0xc0 {
			if length, _, _ := sequence(c); length > back && invalidPrefix(b[len(b)-back:]) == back {
				return back
			}
			return 0
		}
	}
	return 0
}

func decodeLegacy(e encoding.Encoding, in []byte, stream bool) (decoded, error) {
	d := e.NewDecoder()
	var out strings.Builder
	buf := make([]byte, 4096)
	used := 0
	for {
		n, m, err := d.Transform(buf, in[used:], !stream)
		out.Write(buf[:n])
		used += m
		switch {
		case err == nil, errors.Is(err, transform.ErrShortSrc):
			return decoded{used, out.String()}, nil
		case errors.Is(err, transform.ErrShortDst) && (n > 0 || m > 0):
		default:
			return decoded{}, err
		}
	}
}
