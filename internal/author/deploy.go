package author

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function"
)

// Deployment is the text of a function to deploy by itself.
type Deployment struct {
	IntegrationKey string
	Name           string
	Kind           linkspan.FunctionKind // sync or action
	Code           string
	// Version is the label of the version. Empty: the author's, or the next.
	Version string
	// Overwrite allows to replace a function that was deployed in this way before.
	Overwrite bool
}

// deploymentRequest is how a deployment is stored.
type deploymentRequest struct {
	Code      string `json:"code"`
	Version   string `json:"version,omitempty"`
	Overwrite bool   `json:"overwrite,omitempty"`
}

// Deployed is the result of a deployment.
type Deployed struct {
	Functions []DeployedFunction `json:"functions"`
}

// DeployedFunction is a function that was deployed, and the label of its version.
type DeployedFunction struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// StartDeployment has a function compiled and deployed in the background. Codes:
// integration_not_found, invalid_request, execution_environment_unavailable.
func (s *Service) StartDeployment(ctx context.Context, env linkspan.Environment, d Deployment) (linkspan.AuthorJob, error) {
	var none linkspan.AuthorJob
	if len(d.Code) > MaxCode {
		return none, linkspan.E("author.StartDeployment", linkspan.KindInvalid, codeInvalid, nil, "The code has %d bytes; at most %d are allowed.", len(d.Code), MaxCode)
	}
	if _, err := s.integration(ctx, env.ID, d.IntegrationKey); err != nil {
		return none, err
	}
	now, err := s.c.Functions.Function(ctx, env.ID, function.Name{IntegrationKey: d.IntegrationKey, Kind: d.Kind, Name: d.Name})
	switch {
	case err == nil:
		if err := refuse(&now, d.Overwrite); err != nil {
			return none, err
		}
	case linkspan.KindOf(err) != linkspan.KindNotFound:
		return none, err
	}
	request, err := json.Marshal(deploymentRequest{Code: d.Code, Version: d.Version, Overwrite: d.Overwrite})
	if err != nil {
		return none, fmt.Errorf("encoding a deployment: %w", err)
	}
	j := linkspan.AuthorJob{
		UUID: linkspan.NewUUID(), EnvironmentID: env.ID, Kind: linkspan.AuthorDeployment, State: linkspan.RunWaiting,
		IntegrationKey: d.IntegrationKey, FunctionName: d.Name, FunctionKind: d.Kind, Request: linkspan.NewSecret(string(request)),
	}
	return j, s.insert(ctx, &j)
}

// refuse says why a function must not be replaced by a text.
func refuse(now *linkspan.Function, overwrite bool) error {
	const op = "author.refuse"
	if now.Source == linkspan.SourceRepo {
		return linkspan.E(op, linkspan.KindInvalid, codeInvalid, nil,
			"The function %q of the type %s is kept in a folder and deployed from there.", now.Name, now.Kind).WithHint("Change it in the folder, or use another name.")
	}
	if !overwrite {
		return linkspan.E(op, linkspan.KindInvalid, codeInvalid, nil, "There is a function %q of the type %s already.", now.Name, now.Kind).
			WithHint("Set allow_destructive to replace it, or use another name.")
	}
	return nil
}

// deploy compiles and deploys the function of the job.
func (w *worked) deploy(ctx context.Context) error {
	s, j := w.s, w.job
	if w.refused != nil {
		return w.refused
	}
	var in deploymentRequest
	if err := json.Unmarshal([]byte(j.Request.Reveal()), &in); err != nil {
		return fmt.Errorf("reading a stored deployment: %w", err)
	}
	f, err := s.compile(ctx, j.EnvironmentID, &subject{code: in.Code, integration: j.IntegrationKey, name: j.FunctionName, kind: j.FunctionKind})
	if err != nil {
		s.c.Ops.Start(linkspan.Operation{
			EnvironmentID: j.EnvironmentID, Type: linkspan.OperationDeploy, Action: linkspan.ActionDeployCustom, IntegrationKey: j.IntegrationKey,
		}).FailWith(err)
		return err
	}
	w.log.line(s.c.Now(), "info", fmt.Sprintf("The code compiles to %d bytes.", len(f.Code.Bundle)), nil)
	version := in.Version
	if version == "" {
		version = f.Version
	}
	done, err := s.deployFunction(ctx, j.EnvironmentID, &function.Deployment{
		Mode: function.ModeSingle, Source: linkspan.SourceStandalone, SDKVersion: f.Definition.SDKVersion,
		Functions: []function.Deployable{{
			IntegrationKey: j.IntegrationKey, Kind: f.Kind, Name: j.FunctionName, Version: version, Definition: f.Definition, Code: f.Code,
		}},
		Refuse: func(now *linkspan.Function) error {
			// Begun by a process that died, it may be through already.
			if now.Source == linkspan.SourceStandalone && now.Version.CodeHash == hash(f.Code.Bundle) && j.Attempt > 1 {
				return nil
			}
			return refuse(now, in.Overwrite)
		},
	})
	if err != nil {
		return undeployed(err)
	}
	return w.deployed(&done)
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// undeployed gives errors of a deploy their code.
func undeployed(err error) error {
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok {
		return err
	}
	switch e.Code {
	case "invalid_body", "concurrent_deployment", "resource_capped":
		out := *e
		out.Code = codeDeployment
		if out.Msg == "" {
			out.Msg = "The function can't be deployed."
			for _, issue := range e.Issues {
				out.Msg += " " + issue.Message + "."
			}
		}
		return &out
	case "unknown_provider_config":
		return linkspan.E("author.deploy", linkspan.KindNotFound, codeNoIntegration, err, "The integration does not exist any more.")
	}
	return err
}

// deployed puts what was deployed into the job.
func (w *worked) deployed(done *function.Deployed) error {
	result, err := json.Marshal(deployedOf(done))
	if err != nil {
		return fmt.Errorf("encoding what was deployed: %w", err)
	}
	w.job.Result = linkspan.NewSecret(string(result))
	for _, f := range done.Functions {
		w.log.line(w.s.c.Now(), "info", fmt.Sprintf("Deployed the %s %s, version %s.", f.Kind, f.Name, f.Version.Label), nil)
	}
	return nil
}

func deployedOf(done *function.Deployed) Deployed {
	out := Deployed{Functions: []DeployedFunction{}}
	for _, f := range done.Functions {
		out.Functions = append(out.Functions, DeployedFunction{Name: f.Name, Version: f.Version.Label})
	}
	return out
}

const (
	// deployWait is how long a deploy waits for others to the environment, and
	// deployEvery how often it tries.
	deployWait  = 30 * time.Second
	deployEvery = 200 * time.Millisecond
)

// deployFunction deploys when nobody else does: that there are others is no
// business of whoever deploys one function.
func (s *Service) deployFunction(ctx context.Context, env linkspan.EnvironmentID, d *function.Deployment) (function.Deployed, error) {
	tick := time.NewTicker(deployEvery)
	defer tick.Stop()
	end := time.NewTimer(deployWait)
	defer end.Stop()
	for {
		done, err := s.c.Functions.Deploy(ctx, env, d)
		if err == nil || linkspan.CodeOf(err) != "concurrent_deployment" {
			return done, err
		}
		select {
		case <-ctx.Done():
			return function.Deployed{}, ctx.Err()
		case <-end.C:
			return function.Deployed{}, err
		case <-tick.C:
		}
	}
}
