package oplog

import (
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/linkspan/linkspan"
)

const (
	// maxMessages bounds the messages of one operation; further ones are
	// counted as dropped.
	maxMessages = 1000
	// maxText bounds one message's text, in bytes.
	maxText = 10_000
)

// lifetimes say when an operation that has not ended counts as timed out
// (features OBS-03).
func lifetime(t linkspan.OperationType) time.Duration {
	switch t {
	case linkspan.OperationAuth:
		return 5 * time.Minute
	default:
		return 15 * time.Minute
	}
}

// Op is an operation in progress. A nil *Op is valid and records nothing; all
// methods may be called concurrently.
type Op struct {
	log *Log

	mu       sync.Mutex
	op       linkspan.Operation
	msgs     []linkspan.Message
	messages int
	ended    bool
	attached bool
}

// Start begins an operation. It fills the id, the times and, if empty, the
// state; the database learns of it when it ends or is published.
func (l *Log) Start(op linkspan.Operation) *Op {
	if l == nil {
		return nil
	}
	now := l.opts.Now().UTC().Truncate(time.Microsecond)
	if op.ID == "" {
		op.ID = linkspan.NewOperationID(now)
	}
	if op.CreatedAt.IsZero() {
		op.CreatedAt = now
	}
	if op.StartedAt.IsZero() {
		op.StartedAt = now
	}
	if op.State == "" {
		op.State = linkspan.StateRunning
	}
	if op.ExpiresAt.IsZero() {
		op.ExpiresAt = now.Add(lifetime(op.Type))
	}
	return &Op{log: l, op: op}
}

// Attach returns an Op that adds messages to an operation somebody else began
// and will end. Its own end only writes the messages.
func (l *Log) Attach(id linkspan.OperationID, env linkspan.EnvironmentID) *Op {
	if l == nil {
		return nil
	}
	return &Op{log: l, attached: true, op: linkspan.Operation{ID: id, EnvironmentID: env}}
}

// Resume continues an operation that was begun with the given id, maybe by
// another process, and that ends here. op describes it like Start's does, since
// it replaces what was written of it; its id tells when it began. Without an id
// it is a new operation.
func (l *Log) Resume(op linkspan.Operation) *Op {
	if begun, ok := begunAt(op.ID); ok {
		op.CreatedAt, op.StartedAt = begun, begun
	}
	return l.Start(op)
}

// begunAt reads the time out of an operation's id.
func begunAt(id linkspan.OperationID) (time.Time, bool) {
	if !linkspan.IsOperationID(string(id)) {
		return time.Time{}, false
	}
	ms, err := strconv.ParseInt(string(id[:9]), 36, 64)
	return time.UnixMilli(ms).UTC(), err == nil
}

// ID returns the operation's id, or "" for a nil Op.
func (o *Op) ID() linkspan.OperationID {
	if o == nil {
		return ""
	}
	return o.op.ID
}

// Describe fills in what was not known when the operation began; empty values
// leave what is there.
func (o *Op) Describe(integrationKey, provider, connectionName, connectionUUID string) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	set := func(dst *string, v string) {
		if v != "" {
			*dst = v
		}
	}
	set(&o.op.IntegrationKey, integrationKey)
	set(&o.op.Provider, provider)
	set(&o.op.ConnectionName, connectionName)
	set(&o.op.ConnectionUUID, connectionUUID)
}

// Request notes the outbound request. The caller has redacted it.
func (o *Op) Request(r linkspan.HTTPRequestSummary) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.op.Request = &r
}

// Response notes the upstream's answer. The caller has redacted it.
func (o *Op) Response(r linkspan.HTTPResponseSummary) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.op.Response = &r
}

// Message adds a line under the operation. It fills the operation's id, the
// time, and the defaults type "log", source "internal" and level "info".
func (o *Op) Message(m linkspan.Message) {
	if o == nil {
		return
	}
	now := o.log.opts.Now().UTC().Truncate(time.Microsecond)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended || o.messages >= maxMessages {
		o.log.dropped.Add(1)
		return
	}
	o.messages++
	m.OperationID = o.op.ID
	m.EnvironmentID = o.op.EnvironmentID
	m.Text = clip(m.Text, maxText)
	if m.CreatedAt.IsZero() {
		m.CreatedAt = now
	}
	if m.Type == "" {
		m.Type = "log"
	}
	if m.Source == "" {
		m.Source = "internal"
	}
	if m.Level == "" {
		m.Level = "info"
	}
	o.msgs = append(o.msgs, m)
}

// Publish writes the operation as it stands now, so that a long one can be seen
// while it runs.
func (o *Op) Publish() {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.ended {
		o.write()
	}
}

// Succeed ends the operation well. Only the first end counts.
func (o *Op) Succeed(message string) {
	o.end(linkspan.StateSuccess, message, nil)
}

// Fail ends the operation with an error. The message must be safe for the
// customer to read.
func (o *Op) Fail(code, message string) {
	o.end(linkspan.StateFailed, message, &linkspan.OperationError{Code: code, Message: message})
}

// FailWith ends the operation with err: its public code and message if it is a
// linkspan.Error, and only its kind otherwise, since other texts may hold
// secrets.
func (o *Op) FailWith(err error) {
	if o == nil {
		return
	}
	e := publicError(err)
	o.end(linkspan.StateFailed, e.Message, &e)
}

// End ends the operation in the given state.
func (o *Op) End(state linkspan.OperationState, message string) {
	o.end(state, message, nil)
}

func (o *Op) end(state linkspan.OperationState, message string, e *linkspan.OperationError) {
	if o == nil {
		return
	}
	now := o.log.opts.Now().UTC().Truncate(time.Microsecond)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return
	}
	o.ended = true
	o.op.State = state
	o.op.EndedAt = now
	if message != "" {
		o.op.Message = clip(message, maxText)
	}
	if e != nil {
		o.op.Error = e
	}
	o.write()
}

// write hands the present state to the writer; o.mu is held.
func (o *Op) write() {
	msgs := o.msgs
	o.msgs = nil
	if o.attached {
		o.log.add(nil, msgs)
		return
	}
	o.log.add(&o.op, msgs)
}

// clip shortens s to at most limit bytes without cutting a character.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
