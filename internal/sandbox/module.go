package sandbox

import (
	"context"
	_ "embed" // for the module
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// moduleWASM is quickjs.wasm of the npm package quickjs-wasi 3.6.2; "make quickjs"
// fetches it again and compares.
//
//go:embed quickjs.wasm
var moduleWASM []byte

// moduleVersion names what moduleWASM is.
const moduleVersion = "quickjs-wasi 3.6.2"

// stackSize is what QuickJS may use of its stack of 1 MiB; the rest is for what it
// does when that is exceeded.
const stackSize = 512 << 10

// The error of WASI for file descriptors that don't exist: there are none.
const badDescriptor = 8

// instanceKey finds the instance in the context of calls into the module.
type instanceKey struct{}

func instanceOf(ctx context.Context) *instance {
	i, ok := ctx.Value(instanceKey{}).(*instance)
	if !ok {
		panic("sandbox: a call of the module without its instance")
	}
	return i
}

// word returns an i32 of the stack, whose upper half means nothing.
func word(v uint64) uint64 { return uint64(uint32(v)) }

// link makes the functions that the module imports.
func link(ctx context.Context, r wazero.Runtime) error {
	const i32, i64 = api.ValueTypeI32, api.ValueTypeI64
	type function struct {
		name    string
		params  []api.ValueType
		results []api.ValueType
		call    func(ctx context.Context, stack []uint64)
	}
	answer := func(v uint64) func(context.Context, []uint64) {
		return func(_ context.Context, stack []uint64) { stack[0] = v }
	}
	one := []api.ValueType{i32}
	modules := map[string][]function{
		"env": {
			{"host_call", []api.ValueType{i32, i32, i32, i32, i32}, one, func(ctx context.Context, s []uint64) {
				//nolint:contextcheck // the context of its run is with the instance
				s[0] = instanceOf(ctx).hostCall(word(s[0]), word(s[1]), word(s[3]), word(s[4]))
			}},
			{"host_interrupt", nil, one, func(ctx context.Context, s []uint64) {
				s[0] = 0
				if instanceOf(ctx).interrupted() {
					s[0] = 1
				}
			}},
			{"host_promise_rejection", []api.ValueType{i32, i32, i32}, nil, func(ctx context.Context, s []uint64) {
				instanceOf(ctx).rejection(word(s[0]), word(s[1]), word(s[2]) != 0)
			}},
			// Functions are bundled: there are no modules to import.
			{"host_module_normalize", []api.ValueType{i32, i32}, one, answer(0)},
			{"host_module_load", []api.ValueType{i32, i32}, one, answer(0)},
			// Everything is in UTC.
			{"host_get_timezone_offset", []api.ValueType{i32, i32}, one, answer(0)},
		},
		"wasi_snapshot_preview1": {
			{"clock_time_get", []api.ValueType{i32, i64, i32}, one, func(ctx context.Context, s []uint64) {
				s[0] = instanceOf(ctx).clock(word(s[2]))
			}},
			{"random_get", []api.ValueType{i32, i32}, one, func(ctx context.Context, s []uint64) {
				s[0] = instanceOf(ctx).random(word(s[0]), word(s[1]))
			}},
			{"fd_close", one, one, answer(badDescriptor)},
			{"fd_fdstat_get", []api.ValueType{i32, i32}, one, answer(badDescriptor)},
			{"fd_seek", []api.ValueType{i32, i64, i32, i32}, one, answer(badDescriptor)},
			{"fd_write", []api.ValueType{i32, i32, i32, i32}, one, answer(badDescriptor)},
		},
	}
	for name, functions := range modules {
		b := r.NewHostModuleBuilder(name)
		for _, f := range functions {
			b.NewFunctionBuilder().WithGoFunction(api.GoFunc(f.call), f.params, f.results).Export(f.name)
		}
		if _, err := b.Instantiate(ctx); err != nil {
			return fmt.Errorf("linking %s: %w", name, err)
		}
	}
	return nil
}
