package linkspan_test

import (
	"go/ast"
	"regexp"
	"testing"
)

// credentialName matches field names that announce a credential.
var credentialName = regexp.MustCompile(`(?i)(secret|password|passphrase|passwd|credential|private_?key|signing_?key|encryption_?key|api_?key|access_?token|refresh_?token|session_?token|bearer|^token$|^auth(orization)?$)`)

// bareCredentials are the fields that look like credentials and may be plain
// text, by package, type and field, each with the reason.
func bareCredentials() map[string]string {
	const (
		madeUp   = "made up by the test that uses it"
		thirdOne = "Ticketry is a third party: it imports nothing of ours, and its secrets are made up by who starts it"
	)
	const ignored = "the query parameter of the older browser flow; read into nothing: the guard looks at the raw query"
	return map[string]string{
		"catalog.TokenResponse.RefreshTokenPath":    "where in an answer the token is, not the token",
		"catalog.Hooks.VerifyCredentials":           "the name of a check",
		"api.ProvidersQuery.ConnectSessionToken":    ignored,
		"api.ProviderQuery.ConnectSessionToken":     ignored,
		"api.IntegrationsQuery.ConnectSessionToken": ignored,
		"api.Integration.CredentialsLabel":          "titles of form fields, shown to end users",
		"internal/apptest.Authority.ClientSecret":   madeUp,
		"internal/apptest.Desk.ClientSecret":        madeUp,
		"internal/apptest.Desk.APIKey":              madeUp,
		"internal/apptest.Desk.Password":            madeUp,
		"internal/demo.Client.Secret":               thirdOne,
		"internal/demo.Config.APIKey":               thirdOne,
		"internal/demo.Config.Password":             thirdOne,
		"internal/demo.Webhook.Secret":              thirdOne,
	}
}

// A credential in a field of plain text is printed by the first %+v. Secrets are
// linkspan.Secret, which can't be.
func TestCredentialsAreSecrets(t *testing.T) {
	t.Parallel()
	allowed := bareCredentials()
	used := make(map[string]bool)
	set, packages := sources(t)
	for _, p := range packages {
		for _, f := range p.files {
			for _, found := range bareFields(f) {
				name := p.dir + "." + found.name
				if _, ok := allowed[name]; ok {
					used[name] = true
					continue
				}
				t.Errorf("%s: %s is plain text: make it a linkspan.Secret, or list it in bareCredentials with the reason",
					set.Position(found.field.Pos()), name)
			}
		}
	}
	for name := range allowed {
		if !used[name] {
			t.Errorf("bareCredentials lists %s, which is not there or is a Secret by now", name)
		}
	}
}

type bareField struct {
	name  string
	field *ast.Field
}

// bareFields returns the exported fields of exported structs that look like
// credentials and hold text or bytes.
func bareFields(f *ast.File) []bareField {
	var out []bareField
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range g.Specs {
			ts, ok := s.(*ast.TypeSpec)
			if !ok || !ts.Name.IsExported() {
				continue
			}
			st, ok := ts.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, field := range st.Fields.List {
				for _, n := range field.Names {
					if n.IsExported() && holdsText(field.Type) && credentialName.MatchString(n.Name) {
						out = append(out, bareField{ts.Name.Name + "." + n.Name, field})
					}
				}
			}
		}
	}
	return out
}

// holdsText reports whether a type is text: string, []byte, or pointers, lists
// and maps of them.
func holdsText(e ast.Expr) bool {
	switch x := e.(type) {
	case *ast.Ident:
		return x.Name == "string" || x.Name == "byte"
	case *ast.StarExpr:
		return holdsText(x.X)
	case *ast.ArrayType:
		return x.Len == nil && holdsText(x.Elt)
	case *ast.MapType:
		return holdsText(x.Value)
	case *ast.IndexExpr: // a generic wrapper such as Optional[string]
		return holdsText(x.Index)
	default:
		return false
	}
}
