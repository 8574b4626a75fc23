package httpx

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxParams is how many path values a pattern may have.
const maxParams = 6

// tree finds routes by path. It works on the path as sent: each segment is
// decoded only after the path was split, so an encoded slash is part of a
// value and never a separator; empty and dot segments match nothing. There is
// no redirect.
type tree struct{ root node }

// node is one place in the tree, reached by the segments before it.
type node struct {
	literals map[string]*node
	param    *node
	routes   []*entry // that end here
	tails    []*entry // that end here in {name...}
}

// entry is a route with the names of its path values in order.
type entry struct {
	route Route
	names []string
}

// match is the outcome of a search. It is filled in place, so that searching
// allocates nothing.
type match struct {
	entry  *entry
	values [maxParams]string
	// allowed collects the methods of routes with this path when none has the
	// request's method; cors is what these routes have of their own.
	allowed []string
	cors    *CORS
}

// add inserts a route. It panics on a bad or duplicate pattern, like
// http.ServeMux: the route table is code.
func (t *tree) add(r Route) *entry {
	e := &entry{route: r}
	if !strings.HasPrefix(r.Pattern, "/") {
		panic("httpx: pattern " + r.Pattern + " does not start with a slash")
	}
	n := &t.root
	rest := strings.Trim(r.Pattern, "/")
	for rest != "" {
		var segment string
		segment, rest, _ = strings.Cut(rest, "/")
		name, isParam := strings.CutPrefix(segment, "{")
		if !isParam {
			n = n.literal(segment)
			continue
		}
		name, ok := strings.CutSuffix(name, "}")
		if !ok || len(e.names) == maxParams {
			panic("httpx: bad pattern " + r.Pattern)
		}
		if name, ok = strings.CutSuffix(name, "..."); ok {
			e.names = append(e.names, name)
			n.tails = append(n.tails, e)
			return e
		}
		e.names = append(e.names, name)
		if n.param == nil {
			n.param = &node{}
		}
		n = n.param
	}
	if slices.ContainsFunc(n.routes, func(o *entry) bool { return o.route.Method == r.Method }) {
		panic("httpx: two routes for " + r.Method + " " + r.Pattern)
	}
	n.routes = append(n.routes, e)
	return e
}

func (n *node) literal(segment string) *node {
	if n.literals == nil {
		n.literals = make(map[string]*node)
	}
	next := n.literals[segment]
	if next == nil {
		next = &node{}
		n.literals[segment] = next
	}
	return next
}

// find searches for the route of a path in escaped form. One trailing slash
// means nothing.
func (t *tree) find(method, escapedPath string, m *match) bool {
	rest, ok := strings.CutPrefix(escapedPath, "/")
	if !ok {
		return false
	}
	rest = strings.TrimSuffix(rest, "/")
	return t.root.find(method, rest, escapedPath == "/", 0, m)
}

// find descends. A literal segment is preferred to a parameter, but when it
// leads nowhere for this method, the parameter is tried: POST
// /connections/metadata does not hide a connection of that name from GET.
func (n *node) find(method, rest string, done bool, depth int, m *match) bool {
	if done {
		return n.pick(method, n.routes, m)
	}
	segment, after, more := strings.Cut(rest, "/")
	if segment != "" && segment != "." && segment != ".." {
		if next := n.literals[segment]; next != nil && next.find(method, after, !more, depth, m) {
			return true
		}
		if n.param != nil && depth < maxParams {
			if value, err := url.PathUnescape(segment); err == nil {
				m.values[depth] = value
				if n.param.find(method, after, !more, depth+1, m) {
					return true
				}
			}
		}
	}
	if len(n.tails) > 0 && depth < maxParams {
		if value, ok := tail(rest); ok {
			m.values[depth] = value
			return n.pick(method, n.tails, m)
		}
	}
	return false
}

// tail decodes the rest of a path for {name...}, refusing what a file system
// or a router might read as another place.
func tail(rest string) (string, bool) {
	value, err := url.PathUnescape(rest)
	if err != nil || strings.Contains(value, "\\") {
		return "", false
	}
	for segment := range strings.SplitSeq(value, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return "", false
		}
	}
	return value, true
}

func (n *node) pick(method string, routes []*entry, m *match) bool {
	var any *entry
	for _, e := range routes {
		switch {
		case e.route.Method == method:
			m.entry = e
			return true
		case e.route.Method == "", e.route.Method == http.MethodGet && method == http.MethodHead:
			any = e
		}
	}
	if any != nil {
		m.entry = any
		return true
	}
	for _, e := range routes {
		m.allowed = append(m.allowed, e.route.Method)
		m.cors = cmp.Or(m.cors, e.route.CORS)
	}
	return false
}
