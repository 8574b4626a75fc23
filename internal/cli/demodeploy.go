package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/obs"
)

// deployFolder compiles the functions of a folder and deploys them, without
// questions and beside those that are there already.
func deployFolder(ctx context.Context, sys System, server Server, dir, host string, key api.Secret) ([]api.DeployedFunction, error) {
	c, err := client.New(host, key, client.WithUserAgent("linkspan-cli"))
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	reader, err := server.reader(ctx, sys)
	if err != nil {
		return nil, err
	}
	defer endTrials(ctx, reader)
	project, err := bundle.Build(ctx, bundle.Options{Dir: dir, SourceMap: true, Describer: reader, Version: obs.ReadBuild().Version})
	if err != nil {
		return nil, fmt.Errorf("compiling %s: %w", dir, err)
	}
	if len(project.Problems) > 0 {
		return nil, fmt.Errorf("%s does not compile:\n%s", dir, problemList(project.Problems))
	}
	body, err := payload(project.Functions, api.DeploySingle)
	if err != nil {
		return nil, err
	}
	deployed, err := c.Deploy(ctx, body)
	if err != nil {
		return nil, fmt.Errorf("deploying %s: %w", dir, err)
	}
	return deployed, nil
}

// problemList is what is wrong with a folder, as plain text.
func problemList(problems []bundle.Problem) string {
	var text strings.Builder
	t := &terminal{w: &text}
	for _, p := range problems {
		printProblem(t, styleRed, "✗", p)
	}
	return strings.Trim(text.String(), "\n")
}
