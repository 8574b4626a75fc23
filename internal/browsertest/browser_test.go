package browsertest

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestBrowser checks what the tests of pages rely on: popups need a gesture,
// frames and windows can be reached, and errors of scripts are seen.
func TestBrowser(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><html lang="en"><title>site</title><main><h1>Site</h1>
			<button id="open">Open</button></main><script>
			document.querySelector("#open").onclick = () => window.open("/second", "_blank", "width=300,height=300");
			setTimeout(() => { window.unasked = window.open(""); window.tried = true; nonsense(); }, 1);
			</script>`))
	}))
	defer site.Close()
	p := Start(t).Open(t, site.URL, View{Width: 390})
	p.Until(t, "window.tried")
	var opened bool
	p.Eval(t, "Boolean(window.unasked)", &opened)
	if opened {
		t.Error("a window opened without a person's gesture")
	}
	var width int
	if p.Eval(t, "innerWidth", &width); width != 390 {
		t.Errorf("the page is %d wide, not 390", width)
	}
	popup := p.Popup(t, func() { p.Click(t, "#open") })
	popup.Until(t, `document.title === "site"`)
	if url := popup.URL(t); url != site.URL+"/second" {
		t.Errorf("the popup is at %s", url)
	}
	popup.Close(t)
	p.Until(t, "true")
	if len(p.Errors()) != 1 {
		t.Errorf("%d errors were seen, not the one: %v", len(p.Errors()), p.Errors())
	}
}
