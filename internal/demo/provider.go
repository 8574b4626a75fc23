package demo

import (
	"embed"
	"path"
	"strings"
)

// The providers of Ticketry in the catalogue.
const (
	// ProviderOAuth connects by OAuth 2.
	ProviderOAuth = "demo-tickets"
	// ProviderKey connects with an API key.
	ProviderKey = "demo-tickets-key"
	// ProviderBasic connects with a user name and a password.
	ProviderBasic = "demo-tickets-basic"
)

//go:embed providers
var providerFiles embed.FS

// ProviderFiles returns the catalogue entries and logos of all three providers
// for a server at baseURL, by the names that their files have in a folder of
// providers.
func ProviderFiles(baseURL string) map[string][]byte {
	files := make(map[string][]byte)
	logo := read("logo.svg")
	for _, name := range []string{ProviderOAuth, ProviderKey, ProviderBasic} {
		files[name+".yaml"] = []byte(strings.ReplaceAll(string(read(name+".yaml")), "https://ticketry.example", baseURL))
		files[name+".svg"] = logo
	}
	return files
}

// read returns an embedded file, which is always there.
func read(name string) []byte {
	data, err := providerFiles.ReadFile(path.Join("providers", name))
	if err != nil {
		panic(err)
	}
	return data
}
