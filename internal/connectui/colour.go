package connectui

import (
	"fmt"
	"math"
	"strconv"
)

// rgb is a colour of sRGB; each part is between 0 and 1.
type rgb struct{ r, g, b float64 }

// oklch is a colour of OKLCH (Björn Ottosson, "A perceptual color space for
// image processing"): lightness from 0 to 1, chroma, and hue in radians.
type oklch struct{ l, c, h float64 }

// parseHex reads #rrggbb.
func parseHex(text string) (rgb, bool) {
	if len(text) != 7 || text[0] != '#' {
		return rgb{}, false
	}
	n, err := strconv.ParseUint(text[1:], 16, 32)
	if err != nil {
		return rgb{}, false
	}
	part := func(shift uint) float64 { return float64(n>>shift&0xff) / 255 }
	return rgb{part(16), part(8), part(0)}, true
}

// hex writes a colour as #rrggbb.
func (c rgb) hex() string {
	part := func(v float64) uint8 { return uint8(math.Round(min(max(v, 0), 1) * 255)) }
	return fmt.Sprintf("#%02x%02x%02x", part(c.r), part(c.g), part(c.b))
}

// linear undoes the transfer function of sRGB.
func linear(v float64) float64 {
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

// gamma applies the transfer function of sRGB.
func gamma(v float64) float64 {
	if v <= 0.0031308 {
		return v * 12.92
	}
	return 1.055*math.Pow(v, 1/2.4) - 0.055
}

// luminance is the relative luminance of WCAG 2.2.
func (c rgb) luminance() float64 {
	return 0.2126*linear(c.r) + 0.7152*linear(c.g) + 0.0722*linear(c.b)
}

// contrast is the contrast ratio of WCAG 2.2, from 1 to 21.
func contrast(a, b rgb) float64 {
	la, lb := a.luminance(), b.luminance()
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func (c rgb) oklch() oklch {
	r, g, b := linear(c.r), linear(c.g), linear(c.b)
	l := math.Cbrt(0.4122214708*r + 0.5363325363*g + 0.0514459929*b)
	m := math.Cbrt(0.2119034982*r + 0.6806995451*g + 0.1073969566*b)
	s := math.Cbrt(0.0883024619*r + 0.2817188376*g + 0.6299787005*b)
	labA := 1.9779984951*l - 2.4285922050*m + 0.4505937099*s
	labB := 0.0259040371*l + 0.7827717662*m - 0.8086757660*s
	return oklch{
		l: 0.2104542553*l + 0.7936177850*m - 0.0040720468*s,
		c: math.Hypot(labA, labB),
		h: math.Atan2(labB, labA),
	}
}

// rgb converts a colour, giving up chroma until sRGB can show it.
func (c oklch) rgb() rgb {
	const steps = 24
	out, fits := c.exact()
	for chroma, i := c.c, 0; !fits && i < steps; i++ {
		chroma *= 0.85
		out, fits = oklch{c.l, chroma, c.h}.exact()
	}
	clamp := func(v float64) float64 { return min(max(v, 0), 1) }
	return rgb{clamp(out.r), clamp(out.g), clamp(out.b)}
}

// exact converts a colour and reports whether sRGB has it.
func (c oklch) exact() (rgb, bool) {
	labA, labB := c.c*math.Cos(c.h), c.c*math.Sin(c.h)
	cube := func(v float64) float64 { return v * v * v }
	l := cube(c.l + 0.3963377774*labA + 0.2158037573*labB)
	m := cube(c.l - 0.1055613458*labA - 0.0638541728*labB)
	s := cube(c.l - 0.0894841775*labA - 1.2914855480*labB)
	out := rgb{
		gamma(4.0767416621*l - 3.3077115913*m + 0.2309699292*s),
		gamma(-1.2684380046*l + 2.6097574011*m - 0.3413193965*s),
		gamma(-0.0041960863*l - 0.7034186147*m + 1.7076147010*s),
	}
	const slack = 0.001
	in := func(v float64) bool { return v >= -slack && v <= 1+slack }
	return out, in(out.r) && in(out.g) && in(out.b)
}

// until moves the lightness of a colour by step until it has the contrast with
// all the others, or is black or white.
func (c rgb) until(ratio, step float64, others ...rgb) rgb {
	enough := func(candidate rgb) bool {
		for _, other := range others {
			if contrast(candidate, other) < ratio {
				return false
			}
		}
		return true
	}
	at := c.oklch()
	for !enough(c) && (step < 0 && at.l > 0 || step > 0 && at.l < 1) {
		at.l = min(max(at.l+step, 0), 1)
		// What is sent is rounded to bytes, so that is what must be enough.
		c, _ = parseHex(at.rgb().hex())
	}
	return c
}
