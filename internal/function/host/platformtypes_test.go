package host_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	functions "github.com/linkspan/linkspan/sdk/functions"
)

// platformTypes are the names in the types for authors of what the sandbox has.
type platformTypes struct {
	Modules map[string][]string `json:"modules"`
	Classes map[string][]string `json:"classes"`
	Globals []string            `json:"globals"`
}

var (
	ofModule   = regexp.MustCompile(`^declare module "([^"]+)"`)
	ofClass    = regexp.MustCompile(`^interface (\w+)`)
	ofGlobal   = regexp.MustCompile(`^declare (?:var|function) (\w+)`)
	ofMember   = regexp.MustCompile(`^\t(?:readonly )?(\w+)(?:<[^(]*>)?(?:\(|\??: )`)
	ofExport   = regexp.MustCompile(`^\t(?:export )?(?:function|class) (\w+)|^\texport const (\w+)|^\t\tfunction (\w+)`)
	ofRenaming = regexp.MustCompile(`(\w+)(?:,| \})`)
)

// read adds the names in a file.
func (p *platformTypes) read(text string) {
	module, class := "", ""
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "}"):
			module, class = "", ""
		case ofModule.MatchString(line):
			module = ofModule.FindStringSubmatch(line)[1]
			p.Modules[module] = []string{}
		case ofClass.MatchString(line):
			class = ofClass.FindStringSubmatch(line)[1]
		case ofGlobal.MatchString(line):
			p.Globals = append(p.Globals, ofGlobal.FindStringSubmatch(line)[1])
		case class != "" && ofMember.MatchString(line):
			p.Classes[class] = append(p.Classes[class], ofMember.FindStringSubmatch(line)[1])
		case module != "":
			p.Modules[module] = append(p.Modules[module], exports(line)...)
		}
	}
}

// exports are the names that a line of a module's declaration exports. The class
// that a module is, such as events, is no member of it.
func exports(line string) (names []string) {
	if strings.HasPrefix(line, "\texport {") {
		for _, m := range ofRenaming.FindAllStringSubmatch(line, -1) {
			names = append(names, m[1])
		}
		return names
	}
	if m := ofExport.FindStringSubmatch(line); m != nil {
		if name := m[1] + m[2] + m[3]; name != "assert" && name != "EventEmitter" {
			names = append(names, name)
		}
	}
	return names
}

// TestPlatformTypes looks for everything in the sandbox that the types for authors
// say is there: what modules export, and what objects of global classes have.
func TestPlatformTypes(t *testing.T) {
	t.Parallel()
	p := platformTypes{Modules: map[string][]string{}, Classes: map[string][]string{}}
	for name, text := range functions.Typings() {
		if strings.HasPrefix(name, "platform/") {
			p.read(string(text))
		}
	}
	if len(p.Modules) < 30 || len(p.Classes) < 20 || len(p.Globals) < 30 || len(p.Modules["crypto"]) < 40 || len(p.Modules["assert"]) < 10 {
		t.Fatalf("found %d modules, %d classes, %d globals", len(p.Modules), len(p.Classes), len(p.Globals))
	}
	given, err := json.Marshal(p)
	must(t, err)
	got := newWorld(t, echo).run(t, `
		const missing = [];
		for (const [name, members] of Object.entries(input.modules)) {
			const module = require(name);
			for (const member of members) if (!(member in module)) missing.push(name + "." + member);
		}
		for (const name of input.globals) if (globalThis[name] === undefined) missing.push(name);
		const key = await crypto.subtle.importKey("raw", new Uint8Array(8), { name: "HMAC", hash: "SHA-256" }, true, ["sign"]);
		const objects = { Console: console, Performance: performance, Process: process, Crypto: crypto, SubtleCrypto: crypto.subtle, CryptoKey: key, Event: new Event("a"), CustomEvent: new CustomEvent("a"), Buffer: Buffer.alloc(1), BufferConstructor: Buffer };
		for (const [name, members] of Object.entries(input.classes)) {
			const object = objects[name] ?? globalThis[name]?.prototype; // none: an object of options
			if (object !== undefined) for (const member of members) if (!(member in object)) missing.push(name + "." + member);
		}
		return missing`, func(r *trial) { r.info.Input = given }).text(t)
	if got != "[]" {
		t.Errorf("the types have what is not there: %s", got)
	}
}
