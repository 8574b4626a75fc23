package catalog

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// etagBytes is how much of a digest identifies a listing.
const etagBytes = 12

// Listing is all providers as one JSON document, kept compressed: clear, it has
// more than a megabyte.
type Listing struct {
	compressed []byte
	digest     string
}

// ETag returns the quoted entity tag of the document in clear.
func (l *Listing) ETag() string { return `"` + l.digest + `"` }

// GzipETag returns the quoted entity tag of the document compressed. Strong tags
// stand for bytes, so it is not that of the document in clear (RFC 9110 §8.8.3).
func (l *Listing) GzipETag() string { return `"` + l.digest + `-gzip"` }

// Gzip returns the document compressed, to be sent as it is to clients that
// accept gzip. The slice is shared: do not change it.
func (l *Listing) Gzip() []byte { return l.compressed }

// WriteTo implements io.WriterTo: it writes the document in clear.
func (l *Listing) WriteTo(w io.Writer) (int64, error) {
	r, err := gzip.NewReader(bytes.NewReader(l.compressed))
	if err != nil {
		return 0, fmt.Errorf("opening the provider listing: %w", err)
	}
	n, err := io.Copy(w, r) //nolint:gosec // our own bytes, not a bomb
	if err != nil {
		return n, fmt.Errorf("writing the provider listing: %w", err)
	}
	return n, nil
}

// listings keeps the latest listing of each form.
type listings struct {
	mu      sync.Mutex
	entries map[listingForm]listingEntry
}

type listingForm uint8

const (
	listingArray listingForm = iota
	listingMap
)

type listingEntry struct {
	urls       PublicURLs
	generation uint64
	listing    *Listing
}

// List returns {"data":[...]} with the public form of every provider, by name.
// It is made once and again after a change.
func (c *Catalog) List(urls PublicURLs) (*Listing, error) { return c.listing(listingArray, urls) }

// Map returns an object with the public entry of every provider under its name.
// It is made once and again after a change.
func (c *Catalog) Map(urls PublicURLs) (*Listing, error) { return c.listing(listingMap, urls) }

func (c *Catalog) listing(form listingForm, urls PublicURLs) (*Listing, error) {
	// The lock is held while encoding, so that a burst of callers encodes once.
	c.listings.mu.Lock()
	defer c.listings.mu.Unlock()
	generation := c.own.Load().generation
	if e, ok := c.listings.entries[form]; ok && e.urls == urls && e.generation == generation {
		return e.listing, nil
	}
	listing, err := c.encode(form, urls)
	if err != nil {
		return nil, err
	}
	if c.listings.entries == nil {
		c.listings.entries = map[listingForm]listingEntry{}
	}
	c.listings.entries[form] = listingEntry{urls, generation, listing}
	return listing, nil
}

func (c *Catalog) encode(form listingForm, urls PublicURLs) (*Listing, error) {
	var compressed bytes.Buffer
	zipped := gzip.NewWriter(&compressed)
	digest := sha256.New()
	if err := c.encodeTo(io.MultiWriter(zipped, digest), form, urls); err != nil {
		return nil, err
	}
	if err := zipped.Close(); err != nil {
		return nil, fmt.Errorf("compressing the provider listing: %w", err)
	}
	return &Listing{
		compressed: bytes.Clone(compressed.Bytes()),
		digest:     base64.RawURLEncoding.EncodeToString(digest.Sum(nil)[:etagBytes]),
	}, nil
}

func (c *Catalog) encodeTo(w io.Writer, form listingForm, urls PublicURLs) error {
	open, end := `{"data":[`, "]}"
	if form == listingMap {
		open, end = "{", "}"
	}
	separator := open
	for p, err := range c.All() {
		if err != nil {
			return err
		}
		entry := p.PublicEntry(urls)
		if form == listingArray {
			entry = p.Public(urls)
		} else {
			separator += `"` + p.Name + `":`
		}
		encoded, err := json.Marshal(entry)
		if err != nil {
			return fmt.Errorf("encoding provider %q: %w", p.Name, err)
		}
		if _, err := io.WriteString(w, separator+string(encoded)); err != nil {
			return fmt.Errorf("compressing the provider listing: %w", err)
		}
		separator = ","
	}
	if _, err := io.WriteString(w, end); err != nil {
		return fmt.Errorf("compressing the provider listing: %w", err)
	}
	return nil
}
