package cli_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/linkspan/linkspan/internal/app"
	"github.com/linkspan/linkspan/internal/cli"
	"github.com/linkspan/linkspan/internal/config"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"linkspan": func() {
			os.Exit(cli.Run(context.Background(), cli.OS(), cli.Server{
				Serve: app.Serve, Migrate: app.Migrate, RotateKeys: app.RotateKeys, Sandbox: app.Sandbox,
				Trials: authorServer().Trials,
			}))
		},
	})
}

// cacheDir is shared by the tests, also by later ones of the same user: compiling
// the engine of functions takes long under the race detector.
func cacheDir() string {
	return filepath.Join(os.TempDir(), fmt.Sprint("linkspan-cli-test-cache-", os.Getuid()))
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("BELL", "x\a")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"prepare":     prepare,
			"fake-server": fakeServer,
			"code":        exitCode,
		},
	})
}

// prepare makes a data folder what a first start makes of it: "prepare DIR". On
// a folder that is one already it checks that the server would start.
func prepare(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: prepare DIR")
	}
	flags := map[string]string{"data": ts.MkAbs(args[0]), "listen": "127.0.0.1:0"}
	c, err := config.Load(flags, ts.Getenv, "")
	ts.Check(err)
	a, err := app.New(context.Background(), app.Options{Config: c, Log: slog.New(slog.DiscardHandler), Stdout: io.Discard})
	ts.Check(err)
	ts.Check(a.Close())
}

// exitCode runs a command that must end with a code: "code N COMMAND ...".
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND ...")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}
