package catalog

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

//go:generate go test -run ^TestIndex$ . -update

// embedded holds the built-in providers and the index of their names.
//
//go:embed data/providers/*.yaml data/index.json
var embedded embed.FS

const (
	providersDir = "data/providers"
	indexFile    = "data/index.json"
	fileSuffix   = ".yaml"

	// cachedProviders is how many parsed built-in providers are kept. A server
	// uses a few dozen; parsing one takes a fraction of a millisecond.
	cachedProviders = 256
)

// ErrUnknownProvider reports that no provider has a name.
var ErrUnknownProvider = errors.New("unknown provider")

// Options configures a catalogue.
type Options struct {
	// Dir is a directory of the operator's own provider files; empty means
	// none. A file replaces the built-in provider of the same name as a whole.
	Dir string
	// Logger receives what happens to the files of Dir; nil discards it.
	Logger *slog.Logger
}

// Catalog finds providers by name. It is safe for concurrent use.
type Catalog struct {
	builtin []string
	index   func() ([]Summary, error)
	cache   *providerCache
	log     *slog.Logger

	dir    string
	reload sync.Mutex
	own    atomic.Pointer[overlay]

	mu          sync.Mutex
	subscribers map[int]func([]string)
	nextID      int

	listings listings
}

// Summary is what lists and searches show of a provider.
type Summary struct {
	Name        string   `json:"name"`
	DisplayName string   `json:"display_name"`
	AuthMode    AuthMode `json:"auth_mode"`
	Categories  []string `json:"categories"`
	// Unsupported reports that this version cannot connect the provider; see
	// [Provider.Unsupported].
	Unsupported bool `json:"unsupported,omitempty"`
}

// Open makes a catalogue. It parses none of the built-in providers, and the
// files of Options.Dir at once. A file with mistakes does not fail Open: it is
// logged and reported by [Catalog.Errors]. A directory that cannot be read does.
func Open(o Options) (*Catalog, error) {
	builtin, err := builtinNames()
	if err != nil {
		return nil, err
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Catalog{
		builtin:     builtin,
		index:       sync.OnceValues(loadIndex),
		cache:       newProviderCache(cachedProviders),
		log:         log,
		dir:         o.Dir,
		subscribers: map[int]func([]string){},
	}
	c.own.Store(&overlay{names: builtin})
	if o.Dir == "" {
		return c, nil
	}
	if err := c.Reload(context.Background()); err != nil {
		return nil, fmt.Errorf("reading the providers directory: %w", err)
	}
	return c, nil
}

func builtinNames() ([]string, error) {
	entries, err := embedded.ReadDir(providersDir)
	if err != nil {
		return nil, fmt.Errorf("listing the built-in providers: %w", err)
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = strings.TrimSuffix(entry.Name(), fileSuffix)
	}
	// "a-b.yaml" sorts before "a.yaml", and "a" before "a-b".
	slices.Sort(names)
	return names, nil
}

func loadIndex() ([]Summary, error) {
	data, err := embedded.ReadFile(indexFile)
	if err != nil {
		return nil, fmt.Errorf("reading the index of providers: %w", err)
	}
	var index []Summary
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("decoding the index of providers: %w", err)
	}
	return index, nil
}

// Names returns the names of all providers, sorted. The slice is shared: do not
// change it.
func (c *Catalog) Names() []string { return c.own.Load().names }

// Has reports whether there is a provider called name, without parsing it.
func (c *Catalog) Has(name string) bool {
	_, found := slices.BinarySearch(c.Names(), name)
	return found
}

// Provider returns the provider called name. The error wraps
// [ErrUnknownProvider] when there is none.
func (c *Catalog) Provider(name string) (*Provider, error) {
	if p, ok := c.own.Load().providers[name]; ok {
		return p, nil
	}
	if p, ok := c.cache.get(name); ok {
		return p, nil
	}
	p, err := c.parseBuiltin(name)
	if err != nil {
		return nil, err
	}
	c.cache.put(p)
	return p, nil
}

// peek is Provider without a place in the cache, for walks over all providers.
func (c *Catalog) peek(name string) (*Provider, error) {
	if p, ok := c.own.Load().providers[name]; ok {
		return p, nil
	}
	if p, ok := c.cache.get(name); ok {
		return p, nil
	}
	return c.parseBuiltin(name)
}

func (c *Catalog) parseBuiltin(name string) (*Provider, error) {
	if _, found := slices.BinarySearch(c.builtin, name); !found {
		return nil, fmt.Errorf("%w %q", ErrUnknownProvider, name)
	}
	file := providersDir + "/" + name + fileSuffix
	data, err := fs.ReadFile(embedded, file)
	if err != nil {
		return nil, fmt.Errorf("reading provider %q: %w", name, err)
	}
	p, err := ParseProvider(file, name, data)
	if err != nil {
		return nil, fmt.Errorf("parsing provider %q: %w", name, err)
	}
	return p, nil
}

// All walks over all providers by name. Providers are parsed as the walk goes on
// and not kept.
func (c *Catalog) All() iter.Seq2[*Provider, error] {
	return func(yield func(*Provider, error) bool) {
		for _, name := range c.Names() {
			p, err := c.peek(name)
			if errors.Is(err, ErrUnknownProvider) {
				continue // its file was removed meanwhile
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// Search returns the providers whose name or display name contains query,
// ignoring case, by name. An empty query finds all.
func (c *Catalog) Search(query string) ([]Summary, error) {
	index, err := c.index()
	if err != nil {
		return nil, err
	}
	query = strings.ToLower(strings.TrimSpace(query))
	var found []Summary
	keep := func(s Summary) {
		if strings.Contains(s.Name, query) || strings.Contains(strings.ToLower(s.DisplayName), query) {
			found = append(found, s)
		}
	}
	own := c.own.Load()
	for _, summary := range index {
		if _, replaced := own.providers[summary.Name]; !replaced {
			keep(summary)
		}
	}
	for _, p := range own.providers {
		keep(p.Summary())
	}
	slices.SortFunc(found, func(a, b Summary) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

// Summary returns what lists show of the provider.
func (p *Provider) Summary() Summary {
	_, unsupported := p.Unsupported()
	return Summary{Name: p.Name, DisplayName: p.DisplayName, AuthMode: p.Auth.Mode, Categories: p.Categories, Unsupported: unsupported}
}

// OnChange registers f to be called with the names of providers that were added,
// replaced or removed. f runs on the goroutine of [Catalog.Watch] or
// [Catalog.Reload] and must not call Reload. stop ends it.
func (c *Catalog) OnChange(f func(names []string)) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.nextID
	c.nextID++
	c.subscribers[id] = f
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.subscribers, id)
	}
}

func (c *Catalog) notify(names []string) {
	c.mu.Lock()
	subscribers := make([]func([]string), 0, len(c.subscribers))
	for _, f := range c.subscribers {
		subscribers = append(subscribers, f)
	}
	c.mu.Unlock()
	for _, f := range subscribers {
		f(names)
	}
}
