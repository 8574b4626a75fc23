package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/linkspan/linkspan"
)

// SharedApp is a developer app of the operator's that customers may try a provider
// with.
type SharedApp struct {
	ClientID      string
	ClientSecret  linkspan.Secret
	Scopes        *string // comma separated; nil: the provider's defaults
	WebhookSecret linkspan.Secret
	AppID         string
	AppLink       string
	PrivateKey    linkspan.Secret
}

// LoadSharedApps reads the file of --shared-apps, YAML or JSON: one mapping of
// providers to their apps. Problems name the file, the line and the field, and never
// a value.
func LoadSharedApps(file string) (map[string]SharedApp, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the file of --shared-apps: %w", err)
	}
	root, err := mapping(file, data)
	if err != nil || root == nil {
		return nil, err
	}
	apps := make(map[string]SharedApp, len(root.Content)/2)
	var problems []error
	for i := 0; i+1 < len(root.Content); i += 2 {
		name, fields := root.Content[i], root.Content[i+1]
		if _, twice := apps[name.Value]; twice {
			problems = append(problems, fmt.Errorf("%s:%d: %s is there twice", file, name.Line, name.Value))
		}
		app, err := sharedApp(file, name, fields)
		if err != nil {
			problems = append(problems, err)
		}
		apps[name.Value] = app
	}
	return apps, errors.Join(problems...)
}

// mapping returns the mapping that a file consists of; nil when it is empty.
func mapping(file string, data []byte) (*yaml.Node, error) {
	var doc, more yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		return nil, nil //nolint:nilnil // an empty file has no apps
	} else if err != nil {
		// What the parser says may quote the line, and with it a secret.
		return nil, fmt.Errorf("the file of --shared-apps, %s, is neither YAML nor JSON", file)
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the file of --shared-apps, %s, holds more than one document", file)
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: the file of --shared-apps is not a mapping of providers to their apps", file, root.Line)
	}
	return root, nil
}

func sharedApp(file string, name, fields *yaml.Node) (SharedApp, error) {
	var app SharedApp
	if fields.Kind != yaml.MappingNode {
		return app, fmt.Errorf("%s:%d: the app of %s is not a mapping with client_id and client_secret", file, name.Line, name.Value)
	}
	known := []string{"client_id", "client_secret", "scopes", "webhook_secret", "app_id", "app_link", "private_key"}
	var problems []error
	for i := 0; i+1 < len(fields.Content); i += 2 {
		field, value := fields.Content[i], fields.Content[i+1]
		text, err := scalar(value)
		switch {
		case !slices.Contains(known, field.Value):
			problems = append(problems, fmt.Errorf("%s:%d: the app of %s has an unknown field; there are %v", file, field.Line, name.Value, known))
			continue
		case err != nil:
			problems = append(problems, fmt.Errorf("%s:%d: %s of %s %w", file, field.Line, field.Value, name.Value, err))
			continue
		}
		app.set(field.Value, text)
	}
	return app, errors.Join(problems...)
}

func (a *SharedApp) set(field, text string) {
	switch field {
	case "client_id":
		a.ClientID = text
	case "client_secret":
		a.ClientSecret = linkspan.NewSecret(text)
	case "scopes":
		a.Scopes = &text
	case "webhook_secret":
		a.WebhookSecret = linkspan.NewSecret(text)
	case "app_id":
		a.AppID = text
	case "app_link":
		a.AppLink = text
	case "private_key":
		a.PrivateKey = linkspan.NewSecret(text)
	}
}
