package author

import (
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// journal is the log of a job: lines of text up to a limit. It is safe for
// concurrent use.
type journal struct {
	mu    sync.Mutex
	b     strings.Builder
	limit int
	full  bool
}

func newJournal(limit int) *journal { return &journal{limit: limit} }

// cutOff is the last line of a journal that took no more.
const cutOff = "… the rest is missing: there is more than is kept\n"

// line adds a line, unless there were too many already.
func (j *journal) line(at time.Time, level, text string, payload json.RawMessage) {
	line := at.UTC().Format("2006-01-02T15:04:05.000Z ") + level + " " + strings.ToValidUTF8(text, "\uFFFD")
	if len(payload) > 0 {
		line += " " + string(payload)
	}
	line += "\n"
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.full {
		return
	}
	if j.b.Len()+len(line) > j.limit {
		j.full = true
		line = cutOff
	}
	j.b.WriteString(line)
}

// last adds a line whatever was said before.
func (j *journal) last(at time.Time, level, text string) {
	j.mu.Lock()
	j.full, j.limit = false, j.b.Len()+len(text)+100
	j.mu.Unlock()
	j.line(at, level, text, nil)
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}
