package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/integrations"
	"github.com/linkspan/linkspan/internal/config"
)

func newProviders(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "providers",
		Aliases: []string{"provider"},
		Short:   "Look into the catalogue of providers",
		Long: `Looks into the catalogue of this program: the third-party APIs that integrations can
be made of. No server is asked. Without another command it lists them.`,
	}
	listsProviders(cmd, sys)
	list := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List providers",
		Example: "  linkspan providers list --search google\n  linkspan providers list --auth OAUTH2 --json",
	}
	listsProviders(list, sys)
	cmd.AddCommand(list, newProvidersShow(sys))
	return cmd
}

// listsProviders has a command list providers.
func listsProviders(cmd *cobra.Command, sys System) {
	flags := cmd.Flags()
	search := flags.String("search", "", "only those with this text in their name")
	mode := flags.String("auth", "", "only those that authenticate so, such as OAUTH2 or API_KEY")
	category := flags.String("category", "", "only those of this category")
	templates := flags.Bool("templates", false, "only those that the library has functions for")
	asJSON := flags.Bool("json", false, "print JSON")
	_ = cmd.RegisterFlagCompletionFunc("auth", cobra.FixedCompletions(authModes(), cobra.ShellCompDirectiveNoFileComp)) // fails for flags that do not exist
	_ = cmd.RegisterFlagCompletionFunc("category", cobra.FixedCompletions(catalog.Categories(), cobra.ShellCompDirectiveNoFileComp))
	cmd.Args = usage(cobra.NoArgs)
	cmd.RunE = func(*cobra.Command, []string) error {
		if *mode != "" && !slices.Contains(authModes(), strings.ToUpper(*mode)) {
			return &usageError{fmt.Errorf("--auth: %q is not one of %s", *mode, joined(authModes()))}
		}
		c, err := openCatalogue()
		if err != nil {
			return err
		}
		found, err := c.Search(*search)
		if err != nil {
			return fmt.Errorf("looking into the catalogue: %w", err)
		}
		found = slices.DeleteFunc(found, func(p catalog.Summary) bool {
			return *mode != "" && string(p.AuthMode) != strings.ToUpper(*mode) || *category != "" && !slices.Contains(p.Categories, *category) ||
				*templates && !slices.Contains(templateProviders(), p.Name)
		})
		if *asJSON {
			return printJSON(sys.Stdout, append([]catalog.Summary{}, found...))
		}
		return printProviders(sys, found)
	}
}

func openCatalogue() (*catalog.Catalog, error) {
	c, err := catalog.Open(catalog.Options{})
	if err != nil {
		return nil, fmt.Errorf("opening the catalogue of providers: %w", err)
	}
	return c, nil
}

func authModes() []string {
	var modes []string
	for _, m := range catalog.AuthModes() {
		modes = append(modes, string(m))
	}
	return modes
}

func printProviders(sys System, found []catalog.Summary) error {
	t := newTerminal(sys, sys.Stdout)
	if len(found) == 0 {
		status := newTerminal(sys, sys.Stderr)
		status.println("There are no such providers.")
		return status.err
	}
	withTemplates := templateProviders()
	rows := [][]string{{"PROVIDER", "NAME", "AUTH", "CATEGORIES", ""}}
	for _, p := range found {
		note := ""
		switch {
		case p.Unsupported:
			note = "can't be connected by this version"
		case slices.Contains(withTemplates, p.Name):
			note = "functions in the library"
		}
		rows = append(rows, []string{p.Name, p.DisplayName, string(p.AuthMode), strings.Join(p.Categories, ", "), note})
	}
	printTable(t, rows)
	return t.err
}

func newProvidersShow(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show NAME",
		Aliases: []string{"get"},
		Short:   "Show what a provider needs, and what there is for it",
		Long: `Shows how a provider authenticates, what its integrations and connections need, where
that is explained, and which functions the library has for it.`,
		Example: "  linkspan providers show github\n  linkspan providers show zendesk --json",
		Args:    usage(cobra.ExactArgs(1)),
	}
	asJSON := cmd.Flags().Bool("json", false, "print JSON: the provider as the API has it, with its functions of the library")
	cmd.ValidArgsFunction = completeProvider
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		p, err := findProvider(args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			return printProviderJSON(sys, p)
		}
		t := newTerminal(sys, sys.Stdout)
		printProvider(t, p)
		return t.err
	}
	return cmd
}

// findProvider returns a provider of the catalogue.
func findProvider(name string) (*catalog.Provider, error) {
	c, err := openCatalogue()
	if err != nil {
		return nil, err
	}
	p, err := c.Provider(name)
	if !errors.Is(err, catalog.ErrUnknownProvider) {
		return p, err
	}
	e := linkspan.E("cli.providers", linkspan.KindNotFound, "unknown_provider", nil, "The catalogue has no provider %q.", name)
	if meant := config.Nearest(name, c.Names()); meant != "" {
		return nil, &usageError{e.WithHint("Did you mean %q? linkspan providers --search finds others.", meant)}
	}
	return nil, &usageError{e.WithHint("linkspan providers --search finds others.")}
}

// libraryFunction is a function of the library as --json prints it.
type libraryFunction struct {
	Type        linkspan.FunctionKind `json:"type"`
	Name        string                `json:"name"`
	Description string                `json:"description"`
}

func libraryOf(provider string) []libraryFunction {
	all := []libraryFunction{}
	for _, t := range integrations.Templates() {
		if t.Provider == provider {
			all = append(all, libraryFunction{t.Kind, t.Name, t.Definition.Description})
		}
	}
	return all
}

func printProviderJSON(sys System, p *catalog.Provider) error {
	text, err := json.Marshal(p.Public(catalog.PublicURLs{Base: defaultHost}))
	if err != nil {
		return fmt.Errorf("writing a provider: %w", err)
	}
	return printJSON(sys.Stdout, struct {
		Provider  json.RawMessage   `json:"provider"`
		Templates []libraryFunction `json:"templates"`
	}{text, libraryOf(p.Name)})
}

func printProvider(t *terminal, p *catalog.Provider) {
	t.println(t.paint(styleBold, p.DisplayName), "  ", t.paint(styleDim, p.Name))
	facts := [][2]string{{"auth", string(p.Auth.Mode)}}
	if reason, unsupported := p.Unsupported(); unsupported {
		facts = append(facts, [2]string{"unsupported", reason})
	}
	if len(p.Categories) > 0 {
		facts = append(facts, [2]string{"categories", strings.Join(p.Categories, ", ")})
	}
	if len(p.Auth.Scopes.Default) > 0 {
		facts = append(facts, [2]string{"default scopes", strings.Join(p.Auth.Scopes.Default, ", ")})
	}
	if p.API != nil {
		if public := p.Public(catalog.PublicURLs{}); public != nil {
			if base := baseURL(public); base != "" {
				facts = append(facts, [2]string{"base URL", base})
			}
		}
	}
	facts = append(facts, [2]string{"guide", catalog.PublicURLs{Base: defaultHost}.Docs(p.Name) + " of a running server"})
	printFacts(t, facts)
	if needed := credentialFlags(p.Auth.Mode); len(needed) > 0 {
		t.println()
		t.println("An integration needs an app at the provider: ", strings.Join(needed, ", "))
	}
	for _, of := range []struct {
		title  string
		fields []catalog.Field
	}{
		{"An integration also has:", p.Inputs.IntegrationConfig}, {"A connection needs:", slices.Concat(p.Inputs.Credentials, p.Inputs.ConnectionConfig)},
	} {
		printFields(t, of.title, of.fields)
	}
	printLibrary(t, p.Name)
}

// baseURL returns where the API of a provider is, as far as it is one place.
func baseURL(public catalog.Object) string {
	text, err := json.Marshal(public)
	if err != nil {
		return ""
	}
	var of api.Provider
	if json.Unmarshal(text, &of) != nil || of.Proxy == nil {
		return ""
	}
	return of.Proxy.BaseURL
}

func printFields(t *terminal, title string, fields []catalog.Field) {
	var lines [][2]string
	for _, f := range fields {
		if f.Hidden || f.System {
			continue
		}
		text := strings.TrimSuffix(f.Title+": "+f.Help, ": ")
		if f.Title == "" {
			text = f.Help
		}
		var notes []string
		if !f.Required {
			notes = append(notes, "optional")
		}
		if f.Example != "" {
			notes = append(notes, "such as "+f.Example)
		}
		if len(notes) > 0 {
			text += " (" + joined(notes) + ")"
		}
		lines = append(lines, [2]string{"  " + f.Name, strings.TrimSpace(text)})
	}
	if len(lines) > 0 {
		t.println()
		t.println(title)
		printFacts(t, lines)
	}
}

func printLibrary(t *terminal, provider string) {
	all := libraryOf(provider)
	if len(all) == 0 {
		return
	}
	t.println()
	t.println("Functions of the library, for linkspan pull ", provider, " NAME --catalog:")
	lines := make([][2]string, len(all))
	for i, f := range all {
		lines[i] = [2]string{"  " + column(string(f.Type), 6) + "  " + f.Name, f.Description}
	}
	printFacts(t, lines)
}

// completeProvider offers the providers of the catalogue.
func completeProvider(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	c, err := openCatalogue()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, name := range c.Names() {
		if strings.HasPrefix(name, begun) {
			names = append(names, name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
