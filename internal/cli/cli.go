package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/config"
	"github.com/linkspan/linkspan/internal/obs"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1 // the work failed
	exitUsage   = 2 // the command line or a setting is wrong
)

// System is the process as the command line sees it.
type System struct {
	// Args are the arguments without the program's name.
	Args []string
	// Environ looks up an environment variable; empty means unset.
	Environ func(name string) string
	// Stdin is where answers to questions come from. Nil: nobody answers.
	Stdin io.Reader
	// Stdout takes results, Stderr messages and logs.
	Stdout, Stderr io.Writer
	// IsTerminal reports whether a person is at the other end of one of the
	// streams. Nil: the operating system is asked.
	IsTerminal func(stream any) bool
}

// OS returns the process's own arguments, environment and streams.
func OS() System {
	return System{Args: os.Args[1:], Environ: os.Getenv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
}

// Server is the work behind the commands that need the server's parts.
type Server struct {
	// Serve runs the server until ctx ends. What an operator must see once,
	// such as generated keys, goes to out.
	Serve func(ctx context.Context, c config.Config, log *slog.Logger, out io.Writer) error
	// Migrate brings the database to this version, or only lists what it
	// would do.
	Migrate func(ctx context.Context, c config.Config, log *slog.Logger, dryRun bool, out io.Writer) error
	// RotateKeys encrypts the data keys under the active master key and shows
	// its progress.
	RotateKeys func(ctx context.Context, c config.Config, log *slog.Logger, out io.Writer) error
	// Demo runs the demo until ctx ends, or once.
	Demo func(ctx context.Context, d Demo) error
	// Sandbox starts a sandbox like those that functions run in. It keeps what it
	// can make again in a folder; empty: nowhere.
	Sandbox func(ctx context.Context, cacheDir string) (*sandbox.Engine, error)
	// Trials starts what runs functions for tests.
	Trials func(ctx context.Context, o TrialOptions) (Trials, error)
	// Runner executes functions for the server that started this process, until
	// that goes away.
	Runner func(ctx context.Context, log *slog.Logger) error
	// Compiler compiles a function's text for the server that started this process.
	Compiler func(in io.Reader, out io.Writer) error
}

// Run executes the command line and returns the exit code of the process.
func Run(ctx context.Context, sys System, server Server) int {
	root := newRoot(sys, server)
	root.SetArgs(sys.Args)
	root.SetOut(sys.Stdout)
	root.SetErr(sys.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil {
		err = interrupted(err)
	}
	writeError(sys.Stderr, err)
	return exitCode(err)
}

// interrupted says first that a person ended the command, if that is why it failed.
func interrupted(err error) error {
	switch {
	case !errors.Is(err, context.Canceled):
		return err
	case err.Error() == context.Canceled.Error(): // it doesn't say what was being done
		return errors.New("interrupted")
	default:
		return fmt.Errorf("interrupted: %w", err)
	}
}

func newRoot(sys System, server Server) *cobra.Command {
	root := &cobra.Command{
		Use:   "linkspan",
		Short: "Connect your product to your users' third-party accounts",
		Long: `Linkspan connects your product to your users' accounts at third-party APIs:
it stores their credentials, keeps tokens fresh, and sends authenticated calls.

Look around with: linkspan demo
Start with: linkspan serve
Write functions with: linkspan init`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          usage(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	addGroup(root, "server", "Run a server:", newServe(sys, server), newDemo(sys, server), newMigrate(sys, server), newKeys(sys, server), newConfig(sys))
	addGroup(root, "write", "Write functions:", newInit(sys), newCreate(sys), newDev(sys, server), newCompile(sys, server), newDryrun(sys, server),
		newTest(sys, server), newGenerate(sys, server), newDoctor(sys, server))
	addGroup(root, "deploy", "Deploy them:", newDeploy(sys, server), newList(sys, server), newPull(sys), newFunctions(sys), newRollback(sys))
	addGroup(root, "use", "Use a running server:", newConnect(sys), newConnections(sys), newIntegrations(sys), newTrigger(sys), newRecords(sys), newLogs(sys), newEnv(sys))
	addGroup(root, "other", "Other commands:", newProviders(sys), newVersion())
	root.SetHelpCommandGroupID("other")
	root.SetCompletionCommandGroupID("other")
	root.AddCommand(newRunner(sys, server), newCompiler(sys, server)) // for the program itself
	checkGiven(root)
	return root
}

// addGroup adds commands under a heading of the help text.
func addGroup(root *cobra.Command, id, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: id, Title: title})
	for _, c := range commands {
		c.GroupID = id
	}
	root.AddCommand(commands...)
}

// usageError marks errors that are the fault of the command line.
type usageError struct{ err error }

// Error implements error.
func (e *usageError) Error() string { return e.err.Error() }

// Unwrap returns what is wrong.
func (e *usageError) Unwrap() error { return e.err }

// usage makes the errors of an argument check usage errors.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if check(cmd, args) == nil {
			return nil
		}
		return &usageError{fmt.Errorf("%s; see %s --help", misuse(cmd, args), cmd.CommandPath())}
	}
}

// misuse says what is wrong with arguments that a command does not take.
func misuse(cmd *cobra.Command, args []string) string {
	own := cmd.CommandPath()
	if cmd.HasAvailableSubCommands() {
		text := fmt.Sprintf("unknown command %q for %q", args[0], own)
		if near := nearest(cmd, args[0]); len(near) > 0 {
			text += "; did you mean " + strings.Join(near, " or ") + "?"
		}
		return text
	}
	_, takes, _ := strings.Cut(cmd.Use, " ")
	given := "nothing was given"
	if len(args) > 0 {
		given = fmt.Sprintf("%q was given", strings.Join(args, " "))
	}
	return fmt.Sprintf("%s takes %s, but %s", own, cmp.Or(takes, "no arguments"), given)
}

// nearest names the commands below one that may be meant by a word: those that begin
// with it or have one letter more, less or another, and else those with two.
func nearest(cmd *cobra.Command, word string) (near []string) {
	for letters := 1; letters <= 2 && len(near) == 0; letters++ {
		cmd.SuggestionsMinimumDistance = letters
		near = cmd.SuggestionsFor(word)
	}
	return near
}

// checkGiven has the commands that the library adds refuse what they do not know; left
// to themselves they show a page of help, and succeed.
func checkGiven(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = func(_ *cobra.Command, args []string) error {
				of, rest, err := root.Find(args)
				if err != nil || len(rest) == 0 || !of.HasAvailableSubCommands() {
					return err
				}
				return &usageError{fmt.Errorf("%s; see %s --help", misuse(of, rest), of.CommandPath())}
			}
		case "completion":
			c.Args, c.RunE = usage(cobra.NoArgs), func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
}

// writeError tells an operator what went wrong and what to do. Errors made for
// callers of the API carry both; of others the text is all there is.
func writeError(w io.Writer, err error) {
	text, hint := err.Error(), ""
	if e, ok := errors.AsType[*linkspan.Error](err); ok && e.Msg != "" {
		text, hint = e.Msg, e.Hint
		if e.Err != nil {
			text += "\n  cause: " + e.Err.Error()
		}
	}
	_, _ = fmt.Fprintln(w, "linkspan:", printableLines(text)) // without standard error there is nobody to tell
	if hint != "" {
		_, _ = fmt.Fprintln(w, printableLines(hint))
	}
}

// logger makes the logger that the settings ask for.
func logger(sys System, c config.Config) (*slog.Logger, error) {
	return obs.NewLogger(sys.Stderr, c.LogFormat, c.LogLevel)
}
