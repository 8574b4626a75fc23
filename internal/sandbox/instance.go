package sandbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// instance is one instance of the module. Only the goroutine that owns it calls
// its methods. Handles are addresses in its memory, of values of QuickJS.
type instance struct {
	engine    *Engine
	ctx       context.Context // of its calls: carries the instance
	cancel    context.CancelFunc
	module    api.Module
	memory    *memory
	functions map[string]api.Function
	roots     roots
	run       *run     // whose instance it is; nil while the snapshot is made and programs are compiled
	watch     *watched // nil: nobody waits
	sees      sees
	steps     int // that the program may take until it asks whether to go on
}

// sees is what a program could know of the world.
type sees struct {
	clock, random, host, rejection bool
}

// roots are what the engine knows of the memory of a snapshot: handles and
// addresses, the same in all instances made of it.
type roots struct {
	StackPointer, Runtime, Context uint64
	Scratch                        uint64 // room for the arguments of a call
	Counter                        uint64 // of the steps until QuickJS asks whether to go on
	Undefined                      uint64
	Load, Start, Settle, Rejected  uint64 // of the prelude
}

// The scratch begins with a word for lengths; arguments come behind it, because
// what is called with them may need the lengths.
const (
	scratchSize = 64
	scratchArgs = 16
)

// errOutOfMemory says that the module has no memory for what the host wants to
// tell it.
var errOutOfMemory = errors.New("the sandbox is out of memory")

// trap is an error of the module or of calling it: the instance can't be used
// any more. The methods of an instance panic with it, and guard turns it into an
// error.
type trap struct{ err error }

func (t trap) Error() string { return t.err.Error() }

func (t trap) Unwrap() error { return t.err }

// guard turns the panic of a trap into an error.
func guard(err *error) {
	switch p := recover().(type) {
	case nil:
	case trap:
		*err = p.err
	default:
		// wazero turns what goes wrong inside the module into errors; this is
		// something that neither it nor the engine knows.
		*err = fmt.Errorf("sandbox: panic: %v", p)
	}
}

// newInstance makes an instance with fresh memory, not yet initialized.
func (e *Engine) newInstance(ctx context.Context, limit int64) (*instance, error) {
	i := &instance{engine: e, functions: make(map[string]api.Function, 24)}
	// The context of the caller does not stop instances: its end is noticed
	// between two steps of the run, so that no call is torn.
	i.ctx = context.WithValue(context.WithoutCancel(ctx), instanceKey{}, i)
	if e.options.Interruptible {
		i.ctx, i.cancel = context.WithCancel(i.ctx)
	}
	limit = (limit + wasmPage - 1) / wasmPage * wasmPage
	i.memory = &memory{limit: min(uint64(limit), 1<<32)}
	allocator := experimental.MemoryAllocatorFunc(func(_, _ uint64) experimental.LinearMemory { return i.memory })
	m, err := e.runtime.InstantiateModule( //nolint:contextcheck // it is derived of ctx
		experimental.WithMemoryAllocator(i.ctx, allocator), e.module,
		wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		i.memory.Free()
		return nil, fmt.Errorf("making an instance: %w", err)
	}
	i.module = m
	return i, nil
}

func (i *instance) close(ctx context.Context) {
	if i.cancel != nil {
		i.cancel()
	}
	// It has nothing to close but its memory, which never fails.
	_ = i.module.Close(context.WithoutCancel(ctx))
}

// call calls a function of the module whose result is an i32, if it has one.
func (i *instance) call(name string, args ...uint64) uint64 { return word(i.callWide(name, args)) }

// callWide is call for results of 64 bits.
func (i *instance) callWide(name string, args []uint64) uint64 {
	f := i.functions[name]
	if f == nil {
		if f = i.module.ExportedFunction(name); f == nil {
			panic(trap{fmt.Errorf("the module has no function %s", name)})
		}
		i.functions[name] = f
	}
	var stack [8]uint64
	copy(stack[:], args)
	if err := f.CallWithStack(i.ctx, stack[:]); err != nil {
		panic(trap{fmt.Errorf("calling %s: %w", name, err)})
	}
	return stack[0]
}

// relax lets go of the functions, each of which has a stack of its own. The module
// must not be in the middle of a call.
func (i *instance) relax() { clear(i.functions) }

// read returns n bytes of the memory, valid until the next call.
func (i *instance) read(at, n uint64) []byte {
	if at+n < at || at+n > i.memory.size {
		panic(trap{errors.New("the module named memory that it does not have")})
	}
	return i.memory.bytes[at : at+n]
}

func (i *instance) word(at uint64) uint64 { return uint64(binary.LittleEndian.Uint32(i.read(at, 4))) }

// write copies the bytes into memory of their own, with a zero byte behind them.
// The address is 0 when there is no memory.
func (i *instance) write(b []byte) uint64 {
	at := i.call("wasm_malloc", uint64(len(b)+1))
	if at == 0 {
		return 0
	}
	to := i.read(at, uint64(len(b)+1))
	copy(to, b)
	to[len(b)] = 0
	return at
}

func (i *instance) free(at uint64) { i.call("wasm_free", at) }

func (i *instance) freeValue(h uint64) { i.call("qjs_free_value", h) }

// newString returns a handle of a string, 0 when there is no memory. Bytes that
// are not UTF-8 become U+FFFD.
func (i *instance) newString(b []byte) uint64 {
	at := i.write(b)
	if at == 0 {
		return 0
	}
	defer i.free(at)
	return i.checked(i.call("qjs_new_string", at, uint64(len(b))))
}

// newBuffer returns a handle of an ArrayBuffer, 0 when there is no memory.
func (i *instance) newBuffer(b []byte) uint64 {
	at := i.write(b)
	if at == 0 {
		return 0
	}
	defer i.free(at)
	return i.checked(i.call("qjs_new_array_buffer", at, uint64(len(b))))
}

// checked returns the handle, or 0 when it is of an exception.
func (i *instance) checked(h uint64) uint64 {
	if h == 0 || i.call("qjs_is_exception", h) == 0 {
		return h
	}
	i.freeValue(h)
	if x := i.call("qjs_get_exception"); x != 0 {
		i.freeValue(x)
	}
	return 0
}

// text returns a copy of a string value.
func (i *instance) text(h uint64) ([]byte, bool) {
	if h == 0 || i.call("qjs_is_string", h) == 0 {
		return nil, false
	}
	at := i.call("qjs_get_string_len", h, i.roots.Scratch)
	if at == 0 {
		return nil, false
	}
	b := append([]byte(nil), i.read(at, i.word(i.roots.Scratch))...)
	i.call("qjs_free_cstring", at)
	return validText(b), true
}

// buffer returns a copy of what is in an ArrayBuffer.
func (i *instance) buffer(h uint64) ([]byte, bool) {
	if h == 0 || i.call("qjs_is_array_buffer", h) == 0 {
		return nil, false
	}
	at := i.call("qjs_get_array_buffer", h, i.roots.Scratch)
	n := i.word(i.roots.Scratch)
	if at == 0 && n > 0 {
		return nil, false
	}
	return append([]byte{}, i.read(at, n)...), true
}

// boolean returns a handle of true or false.
func (i *instance) boolean(v bool) uint64 {
	if v {
		return i.call("qjs_get_true")
	}
	return i.call("qjs_get_false")
}

func (i *instance) number(h uint64) float64 {
	return math.Float64frombits(i.callWide("qjs_get_float64", []uint64{h}))
}

// property returns a handle of a member of an object.
func (i *instance) property(h uint64, name string) uint64 {
	at := i.write([]byte(name))
	if at == 0 {
		panic(trap{errOutOfMemory})
	}
	defer i.free(at)
	return i.checked(i.call("qjs_get_prop_string", h, at))
}

// thrown is an exception of QuickJS that nothing in the program caught.
type thrown struct{ Name, Message, Stack string }

func (t *thrown) Error() string { return t.Name + ": " + t.Message }

// exception takes the exception.
func (i *instance) exception() *thrown {
	x := i.call("qjs_get_exception")
	if x == 0 {
		return &thrown{Name: "Error", Message: "unknown"}
	}
	defer i.freeValue(x)
	member := func(name string) string {
		h := i.property(x, name)
		if h == 0 {
			return ""
		}
		defer i.freeValue(h)
		b, _ := i.text(h)
		return string(b)
	}
	if b, ok := i.text(x); ok {
		return &thrown{Name: "Error", Message: string(b)}
	}
	if i.call("qjs_is_object", x) == 0 {
		return &thrown{Name: "Error", Message: "a value that is no error was thrown"}
	}
	return &thrown{Name: member("name"), Message: member("message"), Stack: member("stack")}
}

// result frees the result of a call unless it is an exception, which it returns.
func (i *instance) result(h uint64) *thrown {
	failed := i.call("qjs_is_exception", h) != 0
	i.freeValue(h)
	if failed {
		return i.exception()
	}
	return nil
}

// invoke calls a function with the arguments, whose handles it frees. A handle
// of 0 says that there was no memory for that argument.
func (i *instance) invoke(f uint64, args ...uint64) *thrown {
	if slices.Contains(args, 0) {
		return &thrown{Name: "InternalError", Message: "out of memory"}
	}
	argv := i.read(i.roots.Scratch+scratchArgs, scratchSize-scratchArgs)
	for n, a := range args {
		binary.LittleEndian.PutUint32(argv[4*n:], uint32(a))
	}
	h := i.call("qjs_call", f, i.roots.Undefined, uint64(len(args)), i.roots.Scratch+scratchArgs)
	for _, a := range args {
		i.freeValue(a)
	}
	return i.result(h)
}

// evaluate evaluates bytecode; its value is returned as a handle.
func (i *instance) evaluate(code []byte) (uint64, *thrown) {
	at := i.write(code)
	if at == 0 {
		return 0, &thrown{Name: "InternalError", Message: "out of memory"}
	}
	h := i.call("qjs_eval_bytecode", at, uint64(len(code)))
	i.free(at)
	if i.call("qjs_is_exception", h) != 0 {
		i.freeValue(h)
		return 0, i.exception()
	}
	return h, nil
}

// compile compiles a script to bytecode.
func (i *instance) compile(name, source string, flags uint64) ([]byte, *thrown) {
	text, file, length := i.write([]byte(source)), i.write([]byte(name)), i.call("wasm_malloc", 4)
	if text == 0 || file == 0 || length == 0 {
		return nil, &thrown{Name: "InternalError", Message: "out of memory"}
	}
	at := i.call("qjs_compile", text, uint64(len(source)), file, 0, flags, length)
	for _, used := range []uint64{text, file} {
		i.free(used)
	}
	defer i.free(length)
	if at == 0 {
		return nil, i.exception()
	}
	defer i.free(at)
	return append([]byte(nil), i.read(at, i.word(length))...), nil
}
