package catalog_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/catalog"
)

func TestLogos(t *testing.T) {
	t.Parallel()
	cat := open(t)
	brands := 0
	for _, name := range cat.Names() {
		logo, err := cat.Logo(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(logo, []byte("<path")) {
			brands++
		}
		if len(logo) > 16<<10 {
			t.Errorf("%s: the logo has %d bytes", name, len(logo))
		}
		checkSVG(t, name, logo)
	}
	if brands < 300 {
		t.Errorf("only %d providers have the logo of their brand", brands)
	}
	if _, err := cat.Logo("no-such"); !errors.Is(err, catalog.ErrUnknownProvider) {
		t.Errorf("got %v", err)
	}
}

// checkSVG accepts only elements that draw.
func checkSVG(t *testing.T, name string, logo []byte) {
	t.Helper()
	decoder := xml.NewDecoder(bytes.NewReader(logo))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "svg", "title", "path", "rect", "text":
		default:
			t.Errorf("%s: the logo has the element %s", name, start.Name.Local)
		}
		for _, a := range start.Attr {
			if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "href" {
				t.Errorf("%s: the logo has the attribute %s", name, a.Name.Local)
			}
		}
	}
}

func TestMonogram(t *testing.T) {
	t.Parallel()
	for display, want := range map[string]string{
		"Acme": ">A<", "acme corp": ">AC<", "Acme (OAuth)": ">A<", "3CX": ">3<", "<b> & co": ">BC<", "émile zola inc": ">ÉZ<", "!!!": ">?<", "(odd)": ">O<",
	} {
		logo := catalog.Monogram("acme", display)
		if !bytes.Contains(logo, []byte(want)) {
			t.Errorf("Monogram(%q) = %s, want %s", display, logo, want)
		}
		checkSVG(t, display, logo)
	}
	if bytes.Equal(catalog.Monogram("a", "X"), catalog.Monogram("b", "X")) && bytes.Equal(catalog.Monogram("c", "X"), catalog.Monogram("d", "X")) {
		t.Error("the colour does not depend on the id")
	}
}

// TestMonogramContrast computes the contrast of white text by WCAG 2.2.
func TestMonogramContrast(t *testing.T) {
	t.Parallel()
	fill := regexp.MustCompile(`fill="#([0-9a-f]{6})"`)
	seen := map[string]bool{}
	for i := range 500 {
		match := fill.FindSubmatch(catalog.Monogram(strconv.Itoa(i), "X"))
		if match == nil {
			t.Fatal("no colour found")
		}
		seen[string(match[1])] = true
	}
	if len(seen) < 12 {
		t.Errorf("only %d colours are used", len(seen))
	}
	for colour := range seen {
		if contrast := 1.05 / (luminance(t, colour) + 0.05); contrast < 4.5 {
			t.Errorf("#%s: the contrast is %.2f, want 4.5", colour, contrast)
		}
	}
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(colour[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
