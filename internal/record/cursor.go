package record

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/linkspan/linkspan"
)

// cursorVersion is the first byte of a cursor: its form.
const cursorVersion = 1

// Cursor returns the form in which clients carry a position.
func Cursor(p linkspan.RecordPosition) string {
	return string(appendCursor(make([]byte, 0, cursorText), p))
}

// The sizes of a cursor, in bytes and in characters.
const (
	cursorSize = 9
	cursorText = cursorSize * 8 / 6
)

func appendCursor(dst []byte, p linkspan.RecordPosition) []byte {
	var b [cursorSize]byte
	b[0] = cursorVersion
	binary.BigEndian.PutUint64(b[1:], uint64(p))
	return base64.RawURLEncoding.AppendEncode(dst, b[:])
}

// ParseCursor is the inverse of Cursor. The error is of KindInvalid.
func ParseCursor(text string) (linkspan.RecordPosition, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	// The decoder passes over line breaks.
	if err != nil || len(text) != cursorText || len(b) != cursorSize || b[0] != cursorVersion {
		return 0, invalidCursor(err)
	}
	p := linkspan.RecordPosition(binary.BigEndian.Uint64(b[1:]))
	if p <= 0 {
		return 0, invalidCursor(nil)
	}
	return p, nil
}

func invalidCursor(cause error) error {
	return linkspan.E("record.ParseCursor", linkspan.KindInvalid, "invalid_cursor_value", cause, "The cursor is not one of this server.").
		WithHint("Pass a next_cursor, or the cursor of a record, as it was received.")
}

// positionOf is the last position of a time.
func positionOf(t time.Time) linkspan.RecordPosition { return linkspan.RecordPosition(t.UnixMicro()) }

// timeOf is when the change at a position was made.
func timeOf(p linkspan.RecordPosition) time.Time { return time.UnixMicro(int64(p)).UTC() }
