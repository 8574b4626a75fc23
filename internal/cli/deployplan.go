package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
)

// What a deploy does to a function. The values are those of --json.
const (
	changeAdd    = "add"
	changeUpdate = "change"
	changeRemove = "remove"
	changeNone   = "none"
)

// planned is what a deploy does to one function.
type planned struct {
	Integration string                `json:"integration"`
	Type        linkspan.FunctionKind `json:"type"`
	Name        string                `json:"name"`
	Change      string                `json:"change"`
	// Connections counts those that a sync runs for.
	Connections int `json:"connections"`
	// detail is what people read beside the name.
	detail string
}

// deployPlan is what a deploy does.
type deployPlan struct {
	Add       int `json:"add"`
	Change    int `json:"change"`
	Remove    int `json:"remove"`
	Unchanged int `json:"unchanged"`
	// Functions are in the order of integrations, then kinds, then names.
	Functions []planned `json:"functions"`
	// DeletedModels are models that no sync has any more: their records go.
	DeletedModels []string `json:"deleted_models"`
}

// put sorts the functions and counts them.
func (p *deployPlan) put(functions []planned, deletedModels []string) {
	slices.SortFunc(functions, func(a, b planned) int {
		return cmp.Or(cmp.Compare(a.Integration, b.Integration), cmp.Compare(kindOrder(a.Type), kindOrder(b.Type)), cmp.Compare(a.Name, b.Name))
	})
	p.Functions, p.DeletedModels = append([]planned{}, functions...), append([]string{}, deletedModels...) // JSON: [], not null
	slices.Sort(p.DeletedModels)
	for _, f := range functions {
		switch f.Change {
		case changeAdd:
			p.Add++
		case changeUpdate:
			p.Change++
		case changeRemove:
			p.Remove++
		default:
			p.Unchanged++
		}
	}
}

// changes reports whether there is anything to do.
func (p *deployPlan) changes() bool { return p.Add+p.Change+p.Remove+len(p.DeletedModels) > 0 }

// destructive reports whether something goes that a later deploy does not bring
// back as it was.
func (p *deployPlan) destructive() bool { return p.Remove+len(p.DeletedModels) > 0 }

func kindOrder(k linkspan.FunctionKind) int {
	return slices.Index([]linkspan.FunctionKind{linkspan.FunctionSync, linkspan.FunctionAction, linkspan.FunctionOnEvent}, k)
}

// maxShown is how many functions that are added or changed are shown, of each
// integration in the plan and of all in the result. Those that are removed are
// shown in any case.
const maxShown = 50

// printPlan writes what a deploy does, by integration.
func printPlan(t *terminal, p deployPlan) {
	width := 0
	for _, f := range p.Functions {
		if f.Change != changeNone {
			width = max(width, widest(f.Name))
		}
	}
	for all := p.Functions; len(all) > 0; {
		n := slices.IndexFunc(all, func(f planned) bool { return f.Integration != all[0].Integration })
		if n < 0 {
			n = len(all)
		}
		printIntegration(t, all[:n], width)
		all = all[n:]
	}
	t.println()
	t.println("  ", summaryLine(t, p))
	printLosses(t, p)
	t.println()
}

// printIntegration writes what a deploy does to the functions of one integration.
func printIntegration(t *terminal, functions []planned, width int) {
	t.println()
	t.println("  ", t.paint(styleBold, printable(functions[0].Integration)))
	shown, unchanged := 0, 0
	more := map[string]int{}
	for _, f := range functions {
		switch {
		case f.Change == changeNone:
			unchanged++
			continue
		case f.Change == changeRemove:
		case shown == maxShown:
			more[f.Change]++
			continue
		default:
			shown++
		}
		t.println("    ", changeLine(t, f, width))
	}
	for _, of := range []struct{ change, style, sign, text string }{
		{changeAdd, styleGreen, "+", "to add"}, {changeUpdate, styleYellow, "~", "to change"},
	} {
		if n := more[of.change]; n > 0 {
			t.println("    ", t.paint(of.style, fmt.Sprintf("%s %d more %s", of.sign, n, of.text)))
		}
	}
	if unchanged > 0 {
		t.println("    ", t.paint(styleDim, fmt.Sprintf("= %d unchanged", unchanged)))
	}
}

// changeLine is one function of the plan.
func changeLine(t *terminal, f planned, width int) string {
	style, sign := styleYellow, "~"
	switch f.Change {
	case changeAdd:
		style, sign = styleGreen, "+"
	case changeRemove:
		style, sign = styleRed, "-"
	}
	line := t.paint(style, sign+" "+column(string(f.Type), len(linkspan.FunctionOnEvent))) + "  "
	if f.detail == "" {
		return line + printable(f.Name)
	}
	return line + column(printable(f.Name), width) + "  " + t.paint(styleDim, printable(f.detail))
}

func summaryLine(t *terminal, p deployPlan) string {
	parts := []string{
		number(t, styleGreen, p.Add, "to add"), number(t, styleYellow, p.Change, "to change"), number(t, styleRed, p.Remove, "to remove"),
	}
	if p.Unchanged > 0 {
		parts = append(parts, fmt.Sprintf("%d unchanged", p.Unchanged))
	}
	return strings.Join(parts, ", ") + "."
}

// number paints what is not zero.
func number(t *terminal, style string, n int, what string) string {
	text := fmt.Sprintf("%d %s", n, what)
	if n == 0 {
		return text
	}
	return t.paint(style, text)
}

// printLosses tells what does not come back.
func printLosses(t *terminal, p deployPlan) {
	for _, f := range p.Functions {
		if f.Change == changeRemove && f.Connections > 0 {
			t.println("  ", t.paint(styleRed, fmt.Sprintf("The sync %s/%s ends for %s.", printable(f.Integration), printable(f.Name), counted(f.Connections, "connection"))))
		}
	}
	if len(p.DeletedModels) > 0 {
		t.println("  ", t.paint(styleRed, "The records of "+strings.Join(quoted(p.DeletedModels), ", ")+" are deleted."))
	}
}

func quoted(names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = printable(name)
	}
	return all
}
