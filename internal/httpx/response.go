package httpx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// response counts what is written.
type response struct {
	http.ResponseWriter
	status int // 0: nothing written yet
	bytes  int64
}

func (w *response) started() bool { return w.status != 0 }

func (w *response) statusOr(status int) int {
	if w.status == 0 {
		return status
	}
	return w.status
}

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	// Informational answers come before the real one; 101 is final.
	if w.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// ReadFrom implements io.ReaderFrom, so that copying from a file or a
// connection keeps the server's fast path.
func (w *response) ReadFrom(src io.Reader) (int64, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := io.Copy(w.ResponseWriter, src)
	w.bytes += n
	return n, err
}

// FlushError lets http.ResponseController flush.
func (w *response) FlushError() error {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the server's writer.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// pooledBufferLimit is the largest buffer that goes back to the pool.
const pooledBufferLimit = 1 << 16

//nolint:gochecknoglobals // a pool is shared by nature and holds no state
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

//nolint:gochecknoglobals // never changed: header values shared by all replies
var jsonContentType = []string{"application/json; charset=utf-8"}

// WriteJSON answers with v as JSON. It encodes before it writes, so an error
// can still be rendered. Text is not escaped for HTML.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	buf, _ := buffers.Get().(*bytes.Buffer)
	buf.Reset()
	defer func() {
		if buf.Cap() <= pooledBufferLimit {
			buffers.Put(buf)
		}
	}()
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encoding the reply: %w", err)
	}
	body := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	h := w.Header()
	h["Content-Type"] = jsonContentType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails only when the client is gone
	return nil
}

// WriteNoContent answers 204.
func WriteNoContent(w http.ResponseWriter) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}
