package client

import (
	"net/url"
	"reflect"
	"strconv"
	"time"
)

// encodeQuery writes a query struct of package api by its query tags: nil
// pointers and empty lists are left out, lists repeat the key, maps become
// key[name]=value.
func encodeQuery(v any) url.Values {
	out := url.Values{}
	rv := reflect.ValueOf(v)
	for i := range rv.NumField() {
		name := rv.Type().Field(i).Tag.Get("query")
		if name == "" || name == "-" {
			continue
		}
		f := rv.Field(i)
		if f.Kind() == reflect.Pointer {
			if f.IsNil() {
				continue
			}
			f = f.Elem()
		}
		switch f.Kind() {
		case reflect.Slice:
			for j := range f.Len() {
				out.Add(name, scalar(f.Index(j)))
			}
		case reflect.Map:
			for _, k := range f.MapKeys() {
				out.Set(name+"["+k.String()+"]", scalar(f.MapIndex(k)))
			}
		default:
			out.Set(name, scalar(f))
		}
	}
	return out
}

func scalar(v reflect.Value) string {
	if t, ok := reflect.TypeAssert[time.Time](v); ok {
		return t.UTC().Format(time.RFC3339Nano)
	}
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	default:
		return v.String()
	}
}
