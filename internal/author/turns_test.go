package author_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/author"
	"github.com/linkspan/linkspan/internal/function/bundle"
)

// slow takes a while for each text, and counts those that it compiles at a time.
type slow struct {
	mu           sync.Mutex
	now, most    int
	order        []string
	takesForever string
}

func (s *slow) Compile(ctx context.Context, source string) (bundle.Text, error) {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	s.order = append(s.order, source)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.now--
		s.mu.Unlock()
	}()
	if source == s.takesForever {
		<-ctx.Done()
		return bundle.Text{}, ctx.Err()
	}
	<-time.After(time.Second)
	return bundle.CompileText(source), nil
}

// An environment whose texts take for ever keeps none of the others waiting.
func TestEnvironmentsTakeTurnsAtCompiling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &slow{takesForever: "hostile"}
		s := author.New(author.Config{Compiler: c, Executor: describer{}})
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() { _, _ = s.Compile(t.Context(), 1, "hostile") })
		}
		synctest.Wait()
		for i := range 3 {
			began := time.Now()
			if _, err := s.Compile(t.Context(), 2, fmt.Sprintf("export default %d", i)); err != nil || time.Since(began) != time.Second {
				t.Errorf("text %d of the other took %v: %v", i, time.Since(began), err)
			}
		}
		all.Wait()
		if c.most != 2 {
			t.Errorf("%d texts were compiled at a time", c.most)
		}
		for i := range 4 {
			all.Go(func() { _, _ = s.Compile(t.Context(), linkspan.EnvironmentID(i+1), "export default 1") })
		}
		all.Wait()
		if c.most != 2 {
			t.Errorf("%d texts of many were compiled at a time", c.most)
		}
	})
}

// Whoever gives up takes no place.
func TestGivingUpOnCompiling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := author.New(author.Config{Compiler: &slow{takesForever: "hostile"}, Executor: describer{}, Limits: author.Limits{Compilers: 1, Compile: 5 * time.Second}})
		var all sync.WaitGroup
		all.Go(func() { _, _ = s.Compile(t.Context(), 1, "hostile") })
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		all.Go(func() {
			if _, err := s.Compile(ctx, 2, "export default 1"); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		synctest.Wait()
		cancel()
		all.Wait()
		if _, err := s.Compile(t.Context(), 2, "export default 1"); err != nil {
			t.Error(err)
		}
	})
}

// Memory is reserved for each text, by its length, and given back whatever happens.
func TestCompilingReservesMemory(t *testing.T) {
	t.Parallel()
	held, most := int64(0), int64(0)
	var refuse error
	s := author.New(author.Config{
		Compiler: inProcess{}, Executor: describer{},
		Reserve: func(_ context.Context, env linkspan.EnvironmentID, n int64) (func(), error) {
			if refuse != nil {
				return nil, refuse
			}
			if env != 7 {
				t.Errorf("reserved for the environment %d", env)
			}
			held += n
			most = max(most, held)
			return func() { held -= n }, nil
		},
	})
	const text = "export default 1"
	for _, code := range []string{text, "export default 1 +"} {
		_, _ = s.Compile(t.Context(), 7, code)
		if held != 0 || most < author.CompilerMemory(len(text)) {
			t.Errorf("%q: %d bytes are held, at most %d were", code, held, most)
		}
	}
	refuse = errors.New("no room")
	if _, err := s.Compile(t.Context(), 7, text); linkspan.CodeOf(err) != "execution_environment_unavailable" {
		t.Error(err)
	}
	refuse = nil
	if _, err := s.Compile(t.Context(), 7, text); err != nil {
		t.Error(err) // the place was given back
	}
	if n := author.CompilerMemory(100 * author.MaxCode); n != author.CompilerMemory(author.MaxCode) || n > 340<<20 {
		t.Errorf("a text may take %d bytes", n)
	}
}

// What people write fits into the memory that a compiler has.
func TestCompilerHasRoomForHonestTexts(t *testing.T) {
	t.Parallel()
	s := author.New(author.Config{Compiler: compiler(), Executor: describer{}})
	const part = "export async function f%d(nango: any) { const { data } = await nango.get({ endpoint: `/items/${nango.id}` }); return data?.items?.map((v: any) => ({ ...v, n: %d })); }\n"
	for _, n := range []int{1, 50, 1000} {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, part, i, i)
		}
		b.WriteString("export default async () => 1;\n")
		if _, err := s.Compile(t.Context(), 1, b.String()); err != nil {
			t.Errorf("%d bytes: %.300v", b.Len(), err)
		}
	}
}

// Whoever gives up in the moment in which it gets its place takes none away.
func TestGivingUpInTheLastMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := author.New(author.Config{Compiler: &slow{}, Executor: describer{}, Limits: author.Limits{Compilers: 1, CompilerWait: time.Second}})
		for range 100 {
			var both sync.WaitGroup
			both.Go(func() { _, _ = s.Compile(t.Context(), 1, "export default 1") })
			synctest.Wait()
			both.Go(func() { _, _ = s.Compile(t.Context(), 2, "export default 1") })
			both.Wait()
			if _, err := s.Compile(t.Context(), 3, "export default 1"); err != nil {
				t.Fatal(err)
			}
		}
	})
}
