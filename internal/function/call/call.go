// Package call holds the calls that the nango object makes of its host: what
// they take, what they are answered with, and how errors reach the function. The
// server's host, a trial on a developer's machine and the replay of a recording
// serve the same calls; what they have in common is here.
package call

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/httpx"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// Which names a connection; empty names are those of the run's own.
type Which struct {
	IntegrationKey string `json:"integration,omitempty"`
	Connection     string `json:"connection,omitempty"`
}

// Connection is what "connection" takes.
type Connection struct {
	Which

	ForceRefresh bool `json:"forceRefresh"`
	RefreshToken bool `json:"refreshToken"`
}

// Integration is what "integration" takes.
type Integration struct {
	// Include lists "webhook" and "credentials".
	Include []string `json:"include"`
}

// Metadata is what "metadata" takes.
type Metadata struct {
	Metadata map[string]any `json:"metadata"`
	// Merge sets the given members and keeps the others.
	Merge bool `json:"merge"`
}

// Variable is one of those that "variables" answers with (wire contract §4.10).
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Action is what "action" takes.
type Action struct {
	Which

	Action string          `json:"action"`
	Input  json.RawMessage `json:"input"`
}

// Sync is a sync as "sync_trigger" and "sync_start" name it.
type Sync struct {
	Name    string `json:"name"`
	Variant string `json:"variant"`
}

// Syncs is what "sync_trigger" and "sync_start" take.
type Syncs struct {
	Integration string `json:"integration"`
	Connection  string `json:"connection"`
	Syncs       []Sync `json:"syncs"`
	Reset       bool   `json:"reset"`
	Empty       bool   `json:"empty"`
}

// RecordsByIDs is what "records_by_ids" takes. It is answered with a text: the
// records that exist, as a JSON array.
type RecordsByIDs struct {
	Model string   `json:"model"`
	IDs   []string `json:"ids"`
}

// RecordsList is what "records_list" takes.
type RecordsList struct {
	Model  string `json:"model"`
	Cursor string `json:"cursor"`
	Limit  int    `json:"limit"`
	// Until is what the first page said. 0: this is the first one.
	Until linkspan.RecordPosition `json:"until"`
}

// RecordsPage goes with the records of "records_list", which are a text: a JSON
// array.
type RecordsPage struct {
	// Next is the cursor of the next page. Empty: there is none.
	Next string `json:"next,omitempty"`
	// Until is the position of the newest change when the list began; from the index
	// Late on, records have changed since.
	Until linkspan.RecordPosition `json:"until"`
	Late  int                     `json:"late"`
}

// Decode reads the parameters of a call. Numbers in objects of any shape stay as
// they were written.
func Decode(text []byte, into any) error {
	if len(text) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err := decoder.Decode(into)
	if err == nil {
		_, err = decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		err = errors.New("there is more than one value")
	}
	message := "The parameters of the call are not what it takes."
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
		message = fmt.Sprintf("The parameter %q of the call is of the wrong type.", wrong.Field)
	}
	return linkspan.E("call.Decode", linkspan.KindInvalid, "invalid_parameters", err, "%s", message)
}

// Encode writes JSON as JavaScript does, without escapes for HTML.
func Encode(value any) ([]byte, error) {
	if raw, ok := value.(json.RawMessage); ok {
		return raw, nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, fmt.Errorf("encoding an answer: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Answer makes the reply that carries a value.
func Answer(value any) (sandbox.Reply, error) {
	text, err := Encode(value)
	if err != nil {
		return sandbox.Reply{}, err
	}
	return sandbox.Reply{JSON: text}, nil
}

// Failure is the error of a call as the function sees it.
type Failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	// Status is the HTTP status that the public API gives it; 0 for none.
	Status  int              `json:"status,omitempty"`
	Payload any              `json:"payload,omitempty"`
	Errors  []linkspan.Issue `json:"errors,omitempty"`
	// Network says that an upstream gave no answer.
	Network bool `json:"network,omitempty"`
	// Upstream is the answer that another function did not handle.
	Upstream *linkspan.UpstreamAnswer `json:"upstream,omitempty"`
}

// Err returns the failure as a *[sandbox.CallError]. A payload that JSON can't hold
// is left out.
func (f Failure) Err() error {
	text, err := Encode(f)
	if err != nil {
		f.Payload = nil
		if text, err = Encode(f); err != nil {
			return err
		}
	}
	return &sandbox.CallError{JSON: text}
}

// Refused shows a linkspan.Error to the function.
func Refused(e *linkspan.Error) error {
	message := e.Msg
	if e.Hint != "" {
		message += " " + e.Hint
	}
	if message == "" {
		message = "The call was refused: " + cmp.Or(e.Code, string(e.Kind)) + "."
	}
	return Failure{
		Code: cmp.Or(e.Code, string(e.Kind)), Message: message, Status: cmp.Or(e.Status, httpx.Status(e.Kind)), Payload: e.Payload, Errors: e.Issues,
	}.Err()
}
