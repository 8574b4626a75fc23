package runner

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/linkspan/linkspan/internal/sandbox"
)

// programID identifies a program: the SHA-256 of its name and source.
type programID [sha256.Size]byte

func identify(p sandbox.Program) programID {
	h := sha256.New()
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(len(p.Name)))
	h.Write(n[:])
	h.Write([]byte(p.Name))
	h.Write([]byte(p.Source))
	return programID(h.Sum(nil))
}

// numbers reads varints and remembers whether one was missing.
type numbers struct {
	rest []byte
	bad  bool
}

func (n *numbers) next() int64 {
	v, size := binary.Varint(n.rest)
	if size <= 0 {
		n.bad, n.rest = true, nil
		return 0
	}
	n.rest = n.rest[size:]
	return v
}

// appendRun encodes what a run needs beside its start.
func appendRun(b []byte, id programID, l sandbox.Limits) []byte {
	b = append(b, id[:]...)
	for _, v := range []int64{l.Memory, int64(l.CPU), int64(l.Wall), int64(l.Calls), l.Output, l.Notes} {
		b = binary.AppendVarint(b, v)
	}
	return b
}

func parseRun(b []byte) (id programID, l sandbox.Limits, err error) {
	if len(b) < len(id) {
		return id, l, fmt.Errorf("%w: a run without a program", errFrame)
	}
	n := numbers{rest: b[copy(id[:], b):]}
	l.Memory = n.next()
	l.CPU, l.Wall = time.Duration(n.next()), time.Duration(n.next())
	l.Calls = int(n.next())
	l.Output, l.Notes = n.next(), n.next()
	if n.bad || len(n.rest) > 0 {
		return id, l, fmt.Errorf("%w: the limits of a run", errFrame)
	}
	return id, l, nil
}

// outcome says how a run ended: the id of its result.
type outcome uint32

const (
	outcomeOK outcome = iota
	outcomeFailure
	outcomeLimit
	outcomeSyntax
	outcomeCanceled
	outcomeError
	outcomeNeedProgram // the child does not have the program (any more): nothing ran
)

func encodeUsage(u sandbox.Usage) []byte {
	var b []byte
	hot := int64(0)
	if u.Hot {
		hot = 1
	}
	for _, v := range []int64{int64(u.CPU), int64(u.Wall), u.Memory, int64(u.Calls), hot} {
		b = binary.AppendVarint(b, v)
	}
	return b
}

// encodeResult makes the message that ends a run.
func encodeResult(run uint64, res sandbox.Result, err error) message {
	m := message{kind: kindResult, run: run}
	usage, text := res.Usage, ""
	end := outcomeOK
	switch e := err.(type) { //nolint:errorlint // what the engine wraps is handled below, by errors.AsType
	case nil:
		m.parts[1] = res.JSON
		m.setBody(res.Body, res.Text)
	case *sandbox.Failure:
		end, usage, m.parts[1] = outcomeFailure, e.Usage, e.JSON
	default:
		end, usage, text = encodeError(err)
	}
	m.id = uint32(end)
	m.parts[0] = append(encodeUsage(usage), text...)
	if m.size() > maxMessage {
		m = message{kind: kindResult, run: run, id: uint32(outcomeLimit)}
		m.parts[0] = append(encodeUsage(usage), sandbox.LimitOutput...)
	}
	return m
}

func encodeError(err error) (outcome, sandbox.Usage, string) {
	if e, ok := errors.AsType[*sandbox.LimitError](err); ok {
		return outcomeLimit, e.Usage, e.Limit
	}
	if e, ok := errors.AsType[*sandbox.SyntaxError](err); ok {
		text, jsonErr := json.Marshal(e)
		if jsonErr != nil {
			return outcomeError, sandbox.Usage{}, err.Error()
		}
		return outcomeSyntax, sandbox.Usage{}, string(text)
	}
	if isContextError(err) {
		return outcomeCanceled, sandbox.Usage{}, ""
	}
	return outcomeError, sandbox.Usage{}, err.Error()
}

// errCanceled says that the child stopped a run because it was asked to.
var errCanceled = errors.New("the run was canceled")

// errNeedProgram says that the child has to be sent the program.
var errNeedProgram = errors.New("the child lacks the program")

// decodeResult is the reverse of encodeResult. malformed says that the message is
// none.
func decodeResult(m message) (res sandbox.Result, err, malformed error) {
	n := numbers{rest: m.parts[0]}
	u := sandbox.Usage{CPU: time.Duration(n.next()), Wall: time.Duration(n.next()), Memory: n.next(), Calls: int(n.next()), Hot: n.next() != 0}
	if n.bad {
		return res, nil, fmt.Errorf("%w: the usage of a run", errFrame)
	}
	text := string(n.rest)
	switch outcome(m.id) {
	case outcomeOK:
		res = sandbox.Result{JSON: m.json(), Usage: u}
		res.Body, res.Text = m.body()
		return res, nil, nil
	case outcomeFailure:
		return res, &sandbox.Failure{JSON: m.json(), Usage: u}, nil
	case outcomeLimit:
		return res, &sandbox.LimitError{Limit: text, Usage: u}, nil
	case outcomeSyntax:
		e := &sandbox.SyntaxError{}
		if json.Unmarshal(n.rest, e) != nil {
			return res, nil, fmt.Errorf("%w: a syntax error", errFrame)
		}
		return res, e, nil
	case outcomeCanceled:
		return res, errCanceled, nil
	case outcomeError:
		return res, errors.New(text), nil
	case outcomeNeedProgram:
		return res, errNeedProgram, nil
	default:
		return res, nil, fmt.Errorf("%w: outcome %d", errFrame, m.id)
	}
}

// settings is what a child is told first.
type settings struct {
	Protocol      int           `json:"protocol"`
	CacheDir      string        `json:"cache_dir"`
	HotImages     int64         `json:"hot_images"`
	Interruptible bool          `json:"interruptible"`
	Memory        int64         `json:"memory"`    // soft limit of the Go heap
	Sandboxes     int64         `json:"sandboxes"` // memory of all of them
	Programs      int64         `json:"programs"`  // bytes of sources to keep
	Beat          time.Duration `json:"beat"`
}

// protocol is the version of what this package speaks: a binary that was replaced
// under a running server must not be taken for the same.
const protocol = 2
