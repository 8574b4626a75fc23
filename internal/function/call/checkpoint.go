package call

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf16"

	"github.com/linkspan/linkspan"
)

// Limits of checkpoints (features CHK-01), in characters as JavaScript counts
// them.
const (
	maxFields     = 16
	maxFieldName  = 255
	maxFieldValue = 4000
	// maxCheckpoint is what that may take in bytes, all characters escaped.
	maxCheckpoint = maxFields * (maxFieldName + maxFieldValue + 2) * len(`\u0000`)
)

// Limits of locks (features SDK-18).
const (
	maxLockKey  = 255
	maxLockTime = 24 * time.Hour
)

// CheckpointSave is what "checkpoint_save" takes.
type CheckpointSave struct {
	Checkpoint json.RawMessage `json:"checkpoint"`
}

// Checkpoint checks that a checkpoint is a flat object within the limits, and returns
// it without white space.
func Checkpoint(text json.RawMessage) (json.RawMessage, error) {
	refuse := func(format string, args ...any) (json.RawMessage, error) {
		return nil, linkspan.E("call.Checkpoint", linkspan.KindInvalid, "invalid_checkpoint_format", nil,
			"Invalid checkpoint: %s", fmt.Sprintf(format, args...))
	}
	var fields map[string]any
	if err := Decode(text, &fields); err != nil || fields == nil {
		return refuse("it must be an object.")
	}
	if len(fields) > maxFields {
		return refuse("it has %d fields; at most %d are kept.", len(fields), maxFields)
	}
	for name, value := range fields {
		if characters(name) > maxFieldName {
			return refuse("a field's name is longer than %d characters.", maxFieldName)
		}
		switch v := value.(type) {
		case bool, json.Number:
		case string:
			if characters(v) > maxFieldValue {
				return refuse("the field %q holds more than %d characters.", name, maxFieldValue)
			}
		default:
			return refuse("the field %q is neither text, number nor boolean.", name)
		}
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return refuse("it is not JSON.")
	}
	if compact.Len() > maxCheckpoint { // of fields that come twice only the last one was looked at
		return refuse("its JSON is longer than %d bytes.", maxCheckpoint)
	}
	return compact.Bytes(), nil
}

func characters(text string) int {
	if len(text) <= maxFieldName {
		return len(text) // at least as many as characters
	}
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

// Lock is what the prelude asks of "lock_acquire" and "lock_release".
type Lock struct {
	Key   string  `json:"key"`
	TTLMS float64 `json:"ttlMs"`
}

// Check refuses what can't be the key of a lock.
func (p *Lock) Check() error {
	if p.Key == "" || len(p.Key) > maxLockKey {
		return linkspan.E("call.Lock", linkspan.KindInvalid, "invalid_lock", nil, "The key of a lock has 1 to %d bytes.", maxLockKey)
	}
	return nil
}

// TTL is how long the lock is wanted for. What is outside the limits is refused.
func (p *Lock) TTL() (time.Duration, error) {
	if !(p.TTLMS >= 1 && p.TTLMS <= float64(maxLockTime.Milliseconds())) {
		return 0, linkspan.E("call.Lock", linkspan.KindInvalid, "invalid_lock", nil, "ttlMs is 1 to %d.", maxLockTime.Milliseconds())
	}
	return time.Duration(p.TTLMS) * time.Millisecond, nil
}
