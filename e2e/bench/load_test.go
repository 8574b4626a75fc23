package main

import (
	"bufio"
	"strings"
	"testing"
)

func TestReadAnswer(t *testing.T) {
	t.Parallel()
	const next = "HTTP/1.1 204 No Content\r\n\r\n"
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"with a length":   {"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", true},
		"without a body":  {"HTTP/1.1 204 No Content\r\nDate: today\r\n\r\n", true},
		"in chunks":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n", true},
		"a failure":       {"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n{}", false},
		"a broken length": {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", false},
		"a broken chunk":  {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", false},
		"cut off":         {"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := bufio.NewReader(strings.NewReader(c.text + next))
			if err := readAnswer(r); (err == nil) != c.ok {
				t.Fatalf("readAnswer = %v", err)
			}
			if !c.ok {
				return
			}
			if err := readAnswer(r); err != nil {
				t.Errorf("the next answer was not found: %v", err)
			}
		})
	}
}
