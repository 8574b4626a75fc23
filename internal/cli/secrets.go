package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// secrets reads values that nobody is to see from where nobody sees them.
type secrets struct {
	inputReader

	asker *asker
}

// value reads a secret that a flag gives: - is the standard input, @FILE a file,
// env:VARIABLE a variable of the environment.
func (s *secrets) value(flag, given string) (string, error) {
	text, err := "", error(nil)
	switch name, ofEnvironment := strings.CutPrefix(given, "env:"); {
	case given == "-":
		text, err = s.stdin()
	case strings.HasPrefix(given, "@"):
		text, err = s.file(given[1:])
	case ofEnvironment:
		if text = s.sys.Environ(name); text == "" {
			err = fmt.Errorf("the variable %s is not set", name)
		}
	default:
		err = errors.New("secrets are not taken from the command line: give - for the standard input, @FILE or env:VARIABLE")
	}
	if text = strings.TrimSpace(text); err == nil && text == "" {
		err = errors.New("there is nothing in it")
	}
	if err != nil {
		return "", &usageError{fmt.Errorf("%s: %w", flag, err)}
	}
	return text, nil
}

// ask returns what a flag gives, or asks a person for it. Secrets are not shown
// while they are typed.
func (s *secrets) ask(ctx context.Context, flag, question, given string, secret bool) (string, error) {
	switch {
	case given != "" && secret:
		return s.value(flag, given)
	case given != "":
		return given, nil
	case !s.asker.can():
		return "", &usageError{fmt.Errorf("%s is missing, and %w", flag, errNobody)}
	}
	for {
		s.asker.t.prompt(question + ": ")
		answer, err := s.typed(ctx, secret)
		if err != nil {
			return "", err
		}
		if answer == "" {
			continue
		}
		if secret && (answer == "-" || strings.HasPrefix(answer, "@") || strings.HasPrefix(answer, "env:")) {
			return s.value(flag, answer)
		}
		return answer, nil
	}
}

// typed reads a line of a person.
func (s *secrets) typed(ctx context.Context, secret bool) (string, error) {
	terminal, ok := s.sys.Stdin.(*os.File)
	if !secret || !ok {
		return s.asker.line(ctx)
	}
	restore, err := hideTyping(terminal)
	if err != nil {
		return "", fmt.Errorf("hiding what is typed: %w; give it with a flag instead", err)
	}
	answer, err := s.asker.line(ctx)
	s.asker.t.println()
	return answer, errors.Join(err, restore())
}
