package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/linkspan/linkspan/internal/browsertest"
)

// look checks what a page shows with axe-core in both themes, and takes pictures
// of it on a phone and on a desk.
func look(t *testing.T, axe *browsertest.Axe, p *browsertest.Page, name string) {
	t.Helper()
	for _, theme := range []string{"light", "dark"} {
		p.Look(t, browsertest.View{Width: 390, Dark: theme == "dark"})
		p.Until(t, fmt.Sprintf(`matchMedia("(prefers-color-scheme: dark)").matches === %v && document.getAnimations().every(a => a.playState !== "running")`, theme == "dark"))
		axe.Check(t, p, name+", "+theme)
		if *screenshots == "" {
			continue
		}
		p.Screenshot(t, *screenshots, name+"-390-"+theme)
		p.Look(t, browsertest.View{Dark: theme == "dark"})
		p.Screenshot(t, *screenshots, name+"-1280-"+theme)
	}
	if errs := p.Errors(); len(errs) > 0 {
		t.Errorf("%s: the page reported %q", name, errs)
	}
}

// TestPages walks through the pages that an end user sees, of this server and of
// the third party, and looks at each.
func TestPages(t *testing.T) {
	t.Parallel()
	axe := browsertest.NewAxe(t, "../node_modules/axe-core/axe.min.js")
	w := newWorld(t)
	link := func(t *testing.T, body map[string]any) *browsertest.Page {
		t.Helper()
		return w.browser.Open(t, w.instance.PublicURL()+"/connect-ui/?session_token="+w.instance.Session(t, body), browsertest.View{Width: 390})
	}
	// direct goes to the consent page in the same tab, where the result stays.
	direct := func(t *testing.T) *browsertest.Page {
		t.Helper()
		p := link(t, only("desk"))
		p.See(t, "#connect button[type=submit]")
		p.Do(t, `window.open = () => null`)
		p.Click(t, "#connect button[type=submit]")
		p.Click(t, "[data-direct]")
		p.See(t, `button[value="approve"]`)
		return p
	}
	t.Run("list and card", func(t *testing.T) {
		t.Parallel()
		p := link(t, nil)
		p.See(t, "[data-view=list]")
		look(t, axe, p, "list")
		p.Click(t, `[data-item][data-integration="desk-basic"]`)
		p.See(t, "[data-view=card]")
		look(t, axe, p, "card")
	})
	t.Run("consent and success", func(t *testing.T) {
		t.Parallel()
		p := direct(t)
		look(t, axe, p, "consent")
		p.Click(t, `button[value="approve"]`)
		p.See(t, ".badge.good")
		look(t, axe, p, "result-success")
	})
	t.Run("denied", func(t *testing.T) {
		t.Parallel()
		p := direct(t)
		p.Click(t, `button[value="deny"]`)
		p.See(t, "details.dev")
		p.Click(t, "summary")
		look(t, axe, p, "result-denied")
	})
	t.Run("a callback nobody began", func(t *testing.T) {
		t.Parallel()
		p := w.browser.Open(t, w.instance.PublicURL()+`/oauth/callback?code=x&state=%3C/script%3E%3Cscript%3Ewindow.hacked=1%3C/script%3E&error_description=%3Cimg%20src=x%20onerror=hacked=1%3E`, browsertest.View{Width: 390})
		p.See(t, ".badge.bad")
		p.Click(t, "summary")
		look(t, axe, p, "result-problem")
		var hacked bool
		if p.Eval(t, `"hacked" in window || !!document.querySelector("main img")`, &hacked); hacked {
			t.Error("the address got into the page")
		}
	})
	t.Run("a link without a session", func(t *testing.T) {
		t.Parallel()
		p := w.browser.Open(t, w.instance.PublicURL()+`/connect-ui/?lang=%22%3E%3Cscript%3Ehacked=1%3C/script%3E&theme=%22onload=hacked=1&apiURL=https://evil.example`, browsertest.View{Width: 390})
		p.See(t, "[data-view=problem] h1")
		look(t, axe, p, "missing")
		var hacked bool
		if p.Eval(t, `"hacked" in window || document.documentElement.outerHTML.includes("evil.example")`, &hacked); hacked {
			t.Error("the address got into the page")
		}
	})
}

// TestKeyboard connects an account with Tab and Enter alone.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.open(t, browsertest.View{})
	frame := w.openUI(t, p, w.instance.Session(t, nil), "")
	frame.See(t, "[data-view=list]")
	// reach presses Tab until the focus is where it should be, and always seen.
	reach := func(selector string) {
		t.Helper()
		const most = 20
		var at struct {
			There, Seen bool
			Where       string
		}
		for range most {
			frame.Keys(t, kb.Tab)
			frame.Eval(t, fmt.Sprintf(`((e, box) => ({
				there: e.matches(%q), where: e.outerHTML.slice(0, 200),
				seen: getComputedStyle(box).outlineStyle !== "none" && parseFloat(getComputedStyle(box).outlineWidth) >= 2,
			}))(document.activeElement, document.activeElement.closest(".control") ?? document.activeElement)`, selector), &at)
			if !at.Seen {
				t.Errorf("the focus can't be seen at %s", at.Where)
			}
			if at.There {
				return
			}
		}
		t.Fatalf("Tab does not lead to %s but to %s", selector, at.Where)
	}
	reach(`[data-item][data-integration="desk-key"]`)
	frame.Keys(t, kb.Enter)
	frame.See(t, "[data-view=card]")
	frame.Until(t, `document.activeElement.id === "title"`)
	reach("#connect input")
	frame.Keys(t, w.desk.APIKey)
	reach("#connect button[type=submit]")
	frame.Keys(t, kb.Enter)
	frame.See(t, "[data-view=done]")
	frame.Until(t, `document.activeElement.id === "title"`)
	w.works(t, "desk-key", told(t, p, "connect").Payload.ConnectionID)
	reach("[data-close='click:finish']")
	frame.Keys(t, kb.Enter)
	told(t, p, "close")
}
