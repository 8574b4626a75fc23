package sandbox

import (
	"testing"
	"time"
	"runtime"
)

func TestExplore(t *testing.T) {
	e := newEngine(t, Options{})
	t.Log(len(e.snapshot.bytes))
	for name, body := range map[string]string{
		"simple": `return 1+1`,
		"recursion": `const f=(n)=>f(n+1)+1; try { f(0) } catch(e) { return [e.name, e.message, String(e.stack).length] }`,
		"recursion uncaught": `const f=(n)=>f(n+1)+1; f(0)`,
		"json": `return JSON.parse("[".repeat(1e6)+"]".repeat(1e6))`,
		"tostring": `let a=[]; for(let i=0;i<1e6;i++) a=[a]; return String(a).length`,
		"stringify": `let a=[]; for(let i=0;i<1e6;i++) a=[a]; return JSON.stringify(a).length`,
		"regexp": `return new RegExp("(".repeat(1e5)+")".repeat(1e5)).test("x")`,
		"regexp2": `return /(?:(a)|b)*$/.test("ab".repeat(1e6))`,
		"proxy": `let p={}; for(let i=0;i<1e5;i++) p=new Proxy(p,{}); return p.x`,
		"bind": `let p=()=>1; for(let i=0;i<1e6;i++) p=p.bind(null); return p()`,
		"getter": `const o={get a(){return this.a}}; return o.a`,
		"tostr": `const o={toString(){return ""+this}}; return ""+o`,
		"sort": `const f=()=>[3,2,1].sort(f); f()`,
		"eval": `return eval("(".repeat(1e5)+"1"+")".repeat(1e5))`,
		"evalun": `return eval("-".repeat(1e5).replace(/-/g,"- ")+"1")`,
		"freedeep": `let a={}; for(let i=0;i<3e6;i++) a={a}; a=null; return 1`,
		"destructure": `class A{}; let C=A; for(let i=0;i<1e5;i++) C=class extends C{}; return new C() instanceof A`,
		"promise": `let p=Promise.resolve(1); for(let i=0;i<1e5;i++){const q=p; p=(async()=>q)()} return p`,
		"replace": `const f=()=>"x".replace(/x/,f); f()`,
		"array from": `const f=()=>Array.from([1],f); f()`,
		"generator": `function*g(n){yield* g(n+1)}; return [...g(0)]`,
		"instanceof": `const o={}; Object.defineProperty(o,Symbol.hasInstance,{get(){return this[Symbol.hasInstance]}}); return 1 instanceof o`,
		"flat": `let a=[]; for(let i=0;i<1e6;i++) a=[a]; return a.flat(Infinity).length`,
		"structured": `const f=(...a)=>Reflect.apply(f,null,a); f()`,
		"json reviver": `let s="[".repeat(3000)+"]".repeat(3000); return JSON.parse(s,(k,v)=>v)`,
		"toJSON": `const o={toJSON(){return JSON.stringify(o)}}; return JSON.stringify(o)`,
		"ctor": `function F(){ new F() }; new F()`,
		"template": `const f=(s,...a)=>f` + "`${a}`" + `; f()`,
	} {
		var m1, m2 runtime.MemStats
		runtime.ReadMemStats(&m1)
		s := time.Now()
		r, err := runBody(t, e, nil, Limits{CPU: 20 * time.Second}, body)
		runtime.ReadMemStats(&m2)
		j := string(r.JSON)
		if len(j) > 100 { j = j[:100] }
		if f, ok := err.(*Failure); ok { j = string(f.JSON); if len(j) > 120 { j = j[:120] } }
		t.Logf("%-20s %8v %s %T %.300v %d KB go=%dKB", name, time.Since(s).Round(time.Millisecond), j, err, err, r.Usage.Memory>>10, (m2.TotalAlloc-m1.TotalAlloc)>>10)
	}
}
