package runner

import (
	"container/list"
	"fmt"
	"sync"

	"github.com/linkspan/linkspan/internal/sandbox"
)

// programs keeps the sources that a child was sent, the ones used last, up to a
// number of bytes.
type programs struct {
	limit int64

	mu    sync.Mutex
	size  int64
	byID  map[programID]*list.Element
	order *list.List // of kept; the front was used last
}

type kept struct {
	id      programID
	program sandbox.Program
}

func newPrograms(limit int64) *programs {
	return &programs{limit: limit, byID: map[programID]*list.Element{}, order: list.New()}
}

// add keeps the program of a message.
func (p *programs) add(m message) error {
	var id programID
	if len(m.parts[0]) < len(id) {
		return fmt.Errorf("%w: a program without its identity", errFrame)
	}
	k := kept{program: sandbox.Program{Name: string(m.parts[0][copy(id[:], m.parts[0]):]), Source: string(m.parts[1])}}
	if k.id = identify(k.program); k.id != id {
		return fmt.Errorf("%w: a program that is another", errFrame)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byID[id] != nil {
		return nil
	}
	p.byID[id] = p.order.PushFront(k)
	p.size += k.bytes()
	for p.size > p.limit && p.order.Len() > 1 {
		last := p.order.Remove(p.order.Back()).(kept) //nolint:errcheck // nothing else is in it
		delete(p.byID, last.id)
		p.size -= last.bytes()
	}
	return nil
}

func (p *programs) program(id programID) (sandbox.Program, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.byID[id]
	if e == nil {
		return sandbox.Program{}, false
	}
	p.order.MoveToFront(e)
	return e.Value.(kept).program, true //nolint:errcheck // nothing else is in it
}

func (k *kept) bytes() int64 { return int64(len(k.program.Name) + len(k.program.Source)) }

// encodeProgram makes the message that teaches a child a program. Several are
// sent at a time: number tells them apart.
func encodeProgram(number uint64, id programID, p sandbox.Program) message {
	m := message{kind: kindProgram, run: number}
	m.parts[0] = append(append(m.parts[0], id[:]...), p.Name...)
	m.parts[1] = []byte(p.Source)
	return m
}
