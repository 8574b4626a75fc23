package schedule

import (
	"fmt"
	"strings"

	"github.com/linkspan/linkspan"
)

// Ref names a sync function and a variant of it.
type Ref struct {
	Name string
	// Variant is empty for the base variant. Status takes "*" as well: all of them.
	Variant string
}


// ParseRef reads "name" or "name::variant" (wire contract §4.7).
func ParseRef(text string) Ref {
	name, variant, _ := strings.Cut(text, "::")
	return Ref{Name: name, Variant: variant}
}

// String is the inverse of ParseRef.
func (r Ref) String() string {
	if r.Variant == "" {
		return r.Name
	}
	return r.Name + "::" + r.Variant
}

func (r Ref) variant() string {
	if r.Variant == "" {
		return linkspan.BaseVariant
	}
	return r.Variant
}

// Selection names syncs of an integration.
type Selection struct {
	Environment    linkspan.EnvironmentID
	IntegrationKey string
	// ConnectionName is empty for all connections.
	ConnectionName string
	// Syncs are empty for all of the integration, in all variants.
	Syncs []Ref
}

// TriggerOptions say from where a sync begins that is asked for.
type TriggerOptions struct {
	// Reset forgets the checkpoint and when the sync last succeeded, so that it
	// begins from the start (features SYNC-08).
	Reset bool
	// Empty removes the records of its models, too. It needs Reset.
	Empty bool
}

// where says in errors which syncs were asked for.
func (s *Selection) where() string {
	if s.ConnectionName == "" {
		return fmt.Sprintf("the integration %q", s.IntegrationKey)
	}
	return fmt.Sprintf("the connection %q of the integration %q", s.ConnectionName, s.IntegrationKey)
}
