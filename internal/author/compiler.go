package author

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/linkspan/linkspan/internal/function/bundle"
)

// Bounds of the process that compiles one text.
const (
	// compilerLeast is what a compiler may take of memory, in bytes, and compilerEach
	// what it may take beyond that for each byte of its text. Texts that people write
	// take 30 MB and less than 100 for each byte.
	compilerLeast = 80 << 20
	compilerEach  = 256
	compilerStack = 64 << 20 // bytes of one stack: what is nested deeply takes much of it
	compilerLife  = 20 * time.Second
	// compilerReply bounds what it answers, in bytes.
	compilerReply = 16 << 20
	// watchEvery is how often it looks at its memory.
	watchEvery = 5 * time.Millisecond
)

// CompilerMemory is how many bytes compiling a text of so many may take: Go's heap
// and stacks. It is 336 MiB at most.
func CompilerMemory(text int) int64 {
	return compilerLeast + compilerEach*int64(min(text, MaxCode))
}

// Compiler compiles the text of a function that may be hostile. It is safe for
// concurrent use.
type Compiler interface {
	// Compile reports errTooMuch when the text takes more than a compiler may, the
	// cause of the end of ctx, and anything else when there is no compiler.
	Compile(ctx context.Context, source string) (bundle.Text, error)
}

// errTooMuch says that a text exceeds the bounds of the compiler.
var errTooMuch = errors.New("compiling takes more memory or time than it may")

// processes compiles each text in a process of its own.
type processes struct{ command func() *exec.Cmd }

// NewCompiler returns a Compiler whose processes are made by command and run
// CompilerMain.
func NewCompiler(command func() *exec.Cmd) Compiler { return processes{command} }

// Compile implements Compiler.
func (p processes) Compile(ctx context.Context, source string) (bundle.Text, error) {
	made := p.command()
	ctx, cancel := context.WithTimeout(ctx, compilerLife)
	defer cancel()
	cmd := exec.CommandContext(ctx, made.Path) //nolint:gosec // this program
	cmd.Args, cmd.Env, cmd.Dir = made.Args, []string{}, "/"
	cmd.Stdin = bytes.NewReader([]byte(source))
	cmd.WaitDelay = time.Second
	reply := &limitedBuffer{limit: compilerReply}
	cmd.Stdout = reply
	if err := cmd.Start(); err != nil {
		return bundle.Text{}, fmt.Errorf("starting the compiler: %w", err)
	}
	err := cmd.Wait()
	if cause := ctx.Err(); cause != nil {
		return bundle.Text{}, cause
	}
	var text bundle.Text
	if err != nil || reply.full || json.Unmarshal(reply.b.Bytes(), &text) != nil {
		return bundle.Text{}, errTooMuch // it ends itself before it takes too much
	}
	return text, nil
}

// limitedBuffer takes so many bytes, and drops the rest.
type limitedBuffer struct {
	b     bytes.Buffer
	limit int
	full  bool
}

// Write implements io.Writer.
func (l *limitedBuffer) Write(p []byte) (int, error) {
	if l.full = l.full || l.b.Len()+len(p) > l.limit; !l.full {
		return l.b.Write(p)
	}
	return len(p), nil
}

// CompilerMain is the program of a process that compiles the text on in and says on
// out what came of it. When that takes too much the process dies.
func CompilerMain(in io.Reader, out io.Writer) error {
	debug.SetMaxStack(compilerStack)
	source, err := io.ReadAll(io.LimitReader(in, MaxCode+1))
	if err != nil {
		return fmt.Errorf("reading the text to compile: %w", err)
	}
	memory := CompilerMemory(len(source))
	debug.SetMemoryLimit(memory / 2)
	go watchSelf(uint64(memory)) // until the process ends
	if err := json.NewEncoder(out).Encode(bundle.CompileText(string(source))); err != nil {
		return fmt.Errorf("answering with what was compiled: %w", err)
	}
	return nil
}

// watchSelf ends the process when it takes too much memory or lives too long.
// Nothing less than a panic nobody recovers ends it from within at once.
func watchSelf(memory uint64) {
	began := time.Now()
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for range time.Tick(watchEvery) {
		metrics.Read(sample)
		if sample[0].Value.Uint64()-sample[1].Value.Uint64() > memory || time.Since(began) > 2*compilerLife {
			panic(errTooMuch)
		}
	}
}
