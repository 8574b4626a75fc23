package cli

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/function/fixture"
	"github.com/linkspan/linkspan/internal/function/trial"
	"github.com/linkspan/linkspan/internal/sandbox"
)

const (
	// maxTestDifferences is how many differences of a function are shown, and
	// maxTestValue how many characters of a value.
	maxTestDifferences = 10
	maxTestValue       = 160
	maxTestMessage     = 2000
	maxTestFrames      = 5
	// slowTest is from which time on it is shown how long a function took.
	slowTest = time.Second
)

// testSummary counts results, as --json prints it.
type testSummary struct {
	Total      int   `json:"total"`
	Passed     int   `json:"passed"`
	Failed     int   `json:"failed"`
	Skipped    int   `json:"skipped"`
	DurationMS int64 `json:"duration_ms"`
}

// reportedTest is a result as --json prints it.
type reportedTest struct {
	Integration string `json:"integration"`
	Function    string `json:"function"`
	Kind        string `json:"kind"`
	Status      string `json:"status"`
	Message     string `json:"message"`
}

// testReport is what --json prints.
type testReport struct {
	Summary testSummary    `json:"summary"`
	Results []reportedTest `json:"results"`
	// Coverage is there with --coverage.
	Coverage *testCoverage `json:"coverage,omitempty"`
}

// testCoverage counts recorded calls, and lists those that were never made.
type testCoverage struct {
	Calls  int          `json:"calls"`
	Made   int          `json:"made"`
	Unused []unusedCall `json:"unused"`
}

// unusedCall is a recorded call that was never made.
type unusedCall struct {
	File string `json:"file"`

	fixture.Unused
}

func coverageOf(round *testRound) *testCoverage {
	c := &testCoverage{Unused: []unusedCall{}}
	for _, r := range round.all {
		c.Calls += r.calls
		for _, u := range r.unused {
			c.Unused = append(c.Unused, unusedCall{r.key.fixtureFile(), u})
		}
	}
	c.Made = c.Calls - len(c.Unused)
	return c
}

// report tells of a round, and fails if a test did.
func (t *testRun) report(round *testRound, took time.Duration) error {
	t.show(round, took)
	report := reportOf(round, took)
	var errs []error
	if t.asJSON {
		if t.coverage {
			report.Coverage = coverageOf(round)
		}
		errs = append(errs, printJSON(t.sys.Stdout, report))
	}
	if t.junit != "" {
		errs = append(errs, writeJUnit(t.junit, round, took))
	}
	errs = append(errs, t.story.err)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return verdict(round, report.Summary)
}

// verdict is the error with which a round ends.
func verdict(round *testRound, s testSummary) error {
	if s.Failed == 0 {
		return nil
	}
	ran := false
	for _, r := range round.all {
		ran = ran || r.status == testPassed || r.status == testFailed && !r.broken
	}
	if !ran {
		return &codedError{exitCompile, errors.New("nothing compiles, so nothing was tested")}
	}
	return &codedError{exitTests, fmt.Errorf("%s failed", counted(s.Failed, "test"))}
}

func reportOf(round *testRound, took time.Duration) testReport {
	report := testReport{Results: []reportedTest{}}
	for _, r := range round.all {
		report.Results = append(report.Results, reportedTest{r.key.integration, r.key.name, string(r.key.kind), r.status, r.message})
	}
	for _, p := range round.problems {
		report.Results = append(report.Results, reportedTest{Function: p.File, Status: testFailed, Message: problemText(p)})
	}
	s := &report.Summary
	s.DurationMS = took.Milliseconds()
	for _, r := range report.Results {
		s.Total++
		switch r.Status {
		case testPassed:
			s.Passed++
		case testFailed:
			s.Failed++
		default:
			s.Skipped++
		}
	}
	return report
}

// show writes what people read.
func (t *testRun) show(round *testRound, took time.Duration) {
	t.status.wipe()
	for _, r := range round.fresh {
		if t.asJSON && r.status != testFailed {
			continue // the document tells of those
		}
		t.showResult(r)
	}
	for _, p := range round.problems {
		printProblem(t.story, styleRed, "✗", p)
	}
	if t.coverage && !t.asJSON {
		t.showCoverage(round)
	}
	s := reportOf(round, took).Summary
	parts := []string{}
	for _, part := range []struct {
		n           int
		word, style string
	}{{s.Failed, testFailed, styleRed}, {s.Passed, testPassed, styleGreen}, {s.Skipped, testSkipped, styleYellow}} {
		if part.n > 0 {
			parts = append(parts, t.story.paint(part.style, fmt.Sprintf("%d %s", part.n, part.word)))
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "none")
	}
	t.story.println()
	t.story.println(t.story.paint(styleBold, "Tests:"), " ", strings.Join(parts, ", "), " (", shownTime(took), ")")
}

func shownTime(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func (t *testRun) showResult(r *testResult) {
	mark, style := "✓", styleGreen
	switch r.status {
	case testFailed:
		mark, style = "✗", styleRed
	case testSkipped:
		mark, style = "-", styleYellow
	}
	line := t.story.paint(style, mark) + " " + printable(functionName(r.key.integration, r.key.name))
	if r.took >= slowTest {
		line += t.story.paint(styleDim, " ("+shownTime(r.took)+")")
	}
	if r.status != testFailed {
		if r.message != "" {
			line += t.story.paint(styleDim, "  "+printable(r.message))
		}
		t.story.println(line)
		return
	}
	t.story.println(line)
	for text := range strings.Lines(r.message) {
		t.story.println("    ", printable(strings.TrimSuffix(text, "\n")))
	}
}

// showCoverage lists the recorded calls that were never made.
func (t *testRun) showCoverage(round *testRound) {
	c := coverageOf(round)
	if len(c.Unused) > 0 {
		t.story.println()
		t.story.println(t.story.paint(styleBold, "Recorded calls that were never made:"))
	}
	for _, u := range c.Unused {
		entry := ""
		if u.Index > 0 {
			entry = fmt.Sprintf(", entry %d", u.Index+1)
		}
		t.story.println("  ", printable(fmt.Sprintf("%s:%d: %s %s%s", u.File, u.Line, u.Method, u.Path, entry)))
	}
	t.story.println()
	t.story.println(t.story.paint(styleBold, "Coverage:"), fmt.Sprintf(" %d of %s made", c.Made, counted(c.Calls, "recorded call")))
}

// problemText is a problem in lines.
func problemText(p bundle.Problem) string {
	text := p.File
	if p.Line > 0 {
		text = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
	text += ": " + p.Message
	if p.Excerpt != "" {
		text += "\n" + strings.TrimSuffix(p.Excerpt, "\n")
	}
	return text
}

// differenceText says in lines how a result differs from its recording.
func (t *testRun) differenceText(list []fixture.Difference, failure *trial.Failure) string {
	var b strings.Builder
	for i, d := range list {
		if i == maxTestDifferences {
			fmt.Fprintf(&b, "… and %d more\n", len(list)-i)
			break
		}
		if d.Path == "" && failure != nil {
			b.WriteString(t.failureText(failure))
			continue
		}
		fmt.Fprintf(&b, "%s %s\n", d.Path, cut(d.Message, maxTestMessage))
		if d.Expected != nil {
			fmt.Fprintf(&b, "  expected %s\n", cut(string(d.Expected), maxTestValue))
		}
		if d.Got != nil {
			fmt.Fprintf(&b, "  got      %s\n", cut(string(d.Got), maxTestValue))
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// failureText says in lines why a function failed.
func (t *testRun) failureText(f *trial.Failure) string {
	switch f.Limit {
	case sandbox.LimitMemory, sandbox.LimitPressure:
		return fmt.Sprintf("It needed more than %d MiB of memory.\n", int64(testMemory)>>20)
	case sandbox.LimitCPU, sandbox.LimitWall, sandbox.LimitStuck:
		return fmt.Sprintf("It did not come to its end within %v; --timeout gives it more.\n", t.timeout)
	case sandbox.LimitStalled:
		return "It waits for a promise that nothing will ever settle.\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "It failed: %s\n", cut(f.Error(), maxTestMessage))
	if len(f.Payload) > 0 && f.Code != "script_internal_error" && string(f.Payload) != "{}" {
		fmt.Fprintf(&b, "  payload %s\n", cut(string(f.Payload), maxTestValue))
	}
	for i, frame := range f.Stack {
		if i == maxTestFrames {
			break
		}
		fmt.Fprintf(&b, "  %s\n", frame)
	}
	return b.String()
}

// cut shortens a text to so many characters.
func cut(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit]) + "…"
}

// The elements of a JUnit report.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name      string        `xml:"name,attr"`
		Classname string        `xml:"classname,attr"`
		Time      string        `xml:"time,attr"`
		Failure   *junitMessage `xml:"failure,omitempty"`
		Skipped   *junitMessage `xml:"skipped,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes a report for tools that show tests: a suite for each
// integration.
func writeJUnit(file string, round *testRound, took time.Duration) error {
	summary := reportOf(round, took).Summary
	all := junitSuites{Name: "linkspan", Tests: summary.Total, Failures: summary.Failed, Time: seconds(took)}
	results := round.all
	for _, p := range round.problems {
		results = append(slices.Clip(results), &testResult{key: testKey{name: p.File}, status: testFailed, message: problemText(p)})
	}
	times := make(map[string]time.Duration)
	for _, r := range results {
		name := r.key.integration
		if len(all.Suites) == 0 || all.Suites[len(all.Suites)-1].Name != name {
			all.Suites = append(all.Suites, junitSuite{Name: name})
		}
		s := &all.Suites[len(all.Suites)-1]
		times[name] += r.took
		s.Tests++
		s.Time = seconds(times[name])
		c := junitCase{Name: r.key.name, Classname: path.Join(name, string(r.key.kind)), Time: seconds(r.took)}
		first, _, _ := strings.Cut(r.message, "\n")
		switch r.status {
		case testFailed:
			s.Failures++
			c.Failure = &junitMessage{Message: first, Type: testFailed, Text: r.message}
		case testSkipped:
			s.Skipped++
			c.Skipped = &junitMessage{Message: first}
		}
		s.Cases = append(s.Cases, c)
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	e := xml.NewEncoder(&b)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return fmt.Errorf("writing the JUnit report: %w", err)
	}
	b.WriteByte('\n')
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil { //nolint:gosec // a report that others read
		return fmt.Errorf("writing the JUnit report: %w", err)
	}
	return nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
