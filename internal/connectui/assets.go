package connectui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan"
)

//go:embed assets/*.js assets/style.css
var assetFiles embed.FS

// assetDigits is how much of a digest names a version of a file.
const assetDigits = 16

// assets are the files that documents load, by names that change with their
// contents, so that browsers may keep them for good.
type assets struct {
	// HTMX, Script and Style are the names to link to.
	HTMX, Script, Style string
	files               map[string]assetFile
	css                 string
}

type assetFile struct {
	contentType   string
	plain, zipped []byte
}

// loadAssets reads and compresses the files, which are embedded and can't be
// missing.
func loadAssets() *assets {
	a := &assets{files: map[string]assetFile{}}
	const script, style = "text/javascript; charset=utf-8", "text/css; charset=utf-8"
	a.HTMX = a.add(script, "htmx.min.js")
	a.Script = a.add(script, "connect.js", "form.js", "popup.js", "keys.js")
	a.Style = a.add(style, "style.css")
	a.css = string(a.files[a.Style].plain)
	return a
}

// add makes one file of several, called like the first, and returns its name.
func (a *assets) add(contentType string, files ...string) string {
	var data []byte
	for _, file := range files {
		part, err := assetFiles.ReadFile("assets/" + file)
		if err != nil {
			panic(fmt.Sprintf("connectui: reading %s: %v", file, err))
		}
		data = append(data, part...)
	}
	var zipped bytes.Buffer
	z, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err == nil {
		_, err = z.Write(data)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		panic(fmt.Sprintf("connectui: compressing %s: %v", files[0], err))
	}
	digest := sha256.Sum256(data)
	stem, extension, _ := strings.Cut(files[0], ".")
	name := stem + "." + hex.EncodeToString(digest[:])[:assetDigits] + "." + extension
	a.files[name] = assetFile{contentType: contentType, plain: data, zipped: zipped.Bytes()}
	return name
}

// serve answers with the file that the path value "file" names.
func (a *assets) serve(w http.ResponseWriter, r *http.Request) error {
	file, ok := a.files[r.PathValue("file")]
	if !ok {
		return linkspan.E("connectui.assets", linkspan.KindNotFound, "not_found", nil, "There is no such file.")
	}
	h := w.Header()
	h.Set("Content-Type", file.contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := file.plain
	if acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = file.zipped
	}
	return send(w, r, http.StatusOK, body)
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if coding == "gzip" && strings.ReplaceAll(params, " ", "") != "q=0" {
			return true
		}
	}
	return false
}

// compressFrom is the size in bytes from which a document is worth compressing.
const compressFrom = 2 << 10

// sendText sends a document, compressed when that pays. Who asks for a document
// has its token already and no cookie adds one, so that its length gives nothing
// away.
func sendText(w http.ResponseWriter, r *http.Request, status int, text string) error {
	if len(text) < compressFrom || !acceptsGzip(r) {
		return send(w, r, status, []byte(text))
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		return fmt.Errorf("compressing a document: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("compressing a document: %w", err)
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Add("Vary", "Accept-Encoding")
	return send(w, r, status, b.Bytes())
}

func send(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("sending an answer: %w", err)
	}
	return nil
}
