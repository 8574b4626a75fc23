package app

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/bundle"
)

// The functions that ship with the demo are as their author means them.
func TestDemoFunctions(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "functions")
	if err := writeDemoFunctions(dir); err != nil {
		t.Fatal(err)
	}
	engine, err := Sandbox(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	project, err := bundle.Build(t.Context(), bundle.Options{Dir: dir, Describer: engine, Version: "1.2.3"})
	if err != nil || len(project.Problems)+len(project.Warnings) > 0 {
		t.Fatalf("%v %v, error %v", project.Problems, project.Warnings, err)
	}
	type brief struct {
		Integration, Name, Frequency, SyncType string
		Kind                                   linkspan.FunctionKind
		AutoStart                              bool
	}
	var got, want []brief
	for _, f := range project.Functions {
		d := f.Definition
		got = append(got, brief{f.Integration, f.Name, d.Frequency, d.SyncType, f.Kind, d.AutoStart})
		if f.Kind == linkspan.FunctionSync && (!slices.Equal(d.Models, []string{demoModel}) || !slices.Equal(d.Features, []string{"checkpoints"})) {
			t.Errorf("the sync of %s has the models %v and the features %v", f.Integration, d.Models, d.Features)
		}
	}
	for _, integration := range slices.Sorted(slices.Values(demoProviders())) {
		want = append(want,
			brief{integration, demoAction, "", "", linkspan.FunctionAction, false},
			brief{integration, demoSync, "every hour", "incremental", linkspan.FunctionSync, true},
		)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if err := writeDemoFunctions(dir); err == nil {
		t.Error("a folder that is there is written over")
	}
	if left, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(left) != 1 {
		t.Errorf("%v are left, error %v", left, err)
	}
}
