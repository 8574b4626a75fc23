package platform

import (
	"errors"
	"strconv"
	"strings"
	"testing"
)

func TestCache(t *testing.T) {
	t.Parallel()
	var c cache[int]
	made := 0
	length := func(key string) (int, error) {
		if made++; key == "bad" {
			return 0, errors.New("no")
		}
		return len(key), nil
	}
	get := func(key string) int {
		t.Helper()
		n, err := c.get([]byte(key), length)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for range 2 {
		if n := get("abc"); n != 3 || made != 1 {
			t.Errorf("got %d, made %d times", n, made)
		}
	}
	for range 2 {
		if _, err := c.get([]byte("bad"), length); err == nil {
			t.Error("an error was kept as a value")
		}
	}
	for range 2 {
		get(strings.Repeat("x", maxCachedKey+1))
	}
	if made != 5 {
		t.Errorf("errors or long keys were kept: made %d times", made)
	}
	for i := range 10 * maxCached {
		get(strconv.Itoa(i))
	}
	if len(c.made) > maxCached {
		t.Errorf("%d values are kept", len(c.made))
	}
}
