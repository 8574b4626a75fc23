package api

import "encoding/json"

// Optional is a value that may be absent, null or there, for the few places
// where the three differ. Use it with the omitzero tag. The zero value is
// absent.
type Optional[T any] struct {
	// Set reports whether the value is there or null.
	Set bool
	// Value is nil for null.
	Value *T
}

// Some returns an Optional that holds v.
func Some[T any](v T) Optional[T] { return Optional[T]{Set: true, Value: &v} }

// Null returns an Optional that holds null.
func Null[T any]() Optional[T] { return Optional[T]{Set: true} }

// IsZero reports whether the value is absent.
func (o Optional[T]) IsZero() bool { return !o.Set }

// Present tells the server's decoder where the value goes. It is called when the
// value is there or null.
func (o *Optional[T]) Present(null bool) any {
	o.Set, o.Value = true, nil
	into := new(T)
	if !null {
		o.Value = into
	}
	return into
}

// MarshalJSON implements json.Marshaler.
func (o Optional[T]) MarshalJSON() ([]byte, error) { return json.Marshal(o.Value) }

// UnmarshalJSON implements json.Unmarshaler. It is called for null too.
func (o *Optional[T]) UnmarshalJSON(b []byte) error {
	o.Set, o.Value = true, nil
	return json.Unmarshal(b, &o.Value)
}
