package function

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/lease"
)

// leaseKind is that of the right to deploy to an environment.
const leaseKind = "deploy"

// Deployed is what a deploy did.
type Deployed struct {
	// Functions are all that it named, changed or not, in its order.
	Functions []linkspan.Function
	Plan      Plan
}

// Plan says what a deploy would do, and finds the same mistakes. Codes:
// invalid_body, unknown_provider_config.
func (s *Service) Plan(ctx context.Context, env linkspan.EnvironmentID, d *Deployment) (Plan, error) {
	list, err := prepare(d)
	if err != nil {
		return Plan{}, err
	}
	c, err := s.compare(ctx, nil, env, d, list)
	if err != nil {
		return Plan{}, err
	}
	return c.plan, checkSchemas(c.fresh)
}

// Deploy carries a deployment out: all of it or nothing. Functions that are what
// they were keep their version; those that were switched off stay so. Codes:
// those of Plan, and concurrent_deployment when somebody else deploys to the
// environment.
func (s *Service) Deploy(ctx context.Context, env linkspan.EnvironmentID, d *Deployment) (Deployed, error) {
	op := s.ops.Start(linkspan.Operation{EnvironmentID: env, Type: linkspan.OperationDeploy, Action: linkspan.ActionDeployCustom})
	done, err := s.deploy(ctx, env, d)
	if err != nil {
		op.FailWith(err)
		return Deployed{}, err
	}
	p := &done.Plan
	op.Succeed(fmt.Sprintf("Deployed functions: %d created, %d updated, %d unchanged, %d removed",
		len(p.Created), len(p.Updated), len(p.Unchanged), len(p.Deleted)))
	return done, nil
}

func (s *Service) deploy(ctx context.Context, env linkspan.EnvironmentID, d *Deployment) (Deployed, error) {
	list, err := prepare(d)
	if err != nil {
		return Deployed{}, err
	}
	held, err := s.acquire(ctx, env)
	if err != nil {
		return Deployed{}, err
	}
	defer s.release(ctx, held)
	working := held.Context()
	done, err := s.deployHolding(working, held, env, d, list)                                              //nolint:contextcheck // it ends with the right to deploy, and is a child of ctx
	if err != nil && (errors.Is(err, lease.ErrLost) || errors.Is(context.Cause(working), lease.ErrLost)) { //nolint:contextcheck // as above
		return Deployed{}, linkspan.E("function.Deploy", linkspan.KindUnavailable, "", err,
			"The deploy took too long or lost the database, and nothing was changed.").WithHint("Deploy again.")
	}
	return done, err
}

// errOvertaken reports that a deploy needs code that it has not stored.
var errOvertaken = errors.New("functions were changed during the deploy")

// maxTries is how often a deploy is begun anew because functions were rolled back
// or removed during it.
const maxTries = 3

// deployHolding deploys with the right to.
func (s *Service) deployHolding(ctx context.Context, held *lease.Held, env linkspan.EnvironmentID, d *Deployment, list []prepared) (Deployed, error) {
	for try := 1; ; try++ {
		done, err := s.tryDeploy(ctx, held, env, d, list)
		if !errors.Is(err, errOvertaken) || try == maxTries {
			return done, err
		}
	}
}

func (s *Service) tryDeploy(ctx context.Context, held *lease.Held, env linkspan.EnvironmentID, d *Deployment, list []prepared) (Deployed, error) {
	c, err := s.compare(ctx, nil, env, d, list)
	if err != nil {
		return Deployed{}, err
	}
	if err := checkSchemas(c.fresh); err != nil {
		return Deployed{}, err
	}
	if err := s.storeCode(ctx, env, c.fresh); err != nil {
		return Deployed{}, err
	}
	stored := make(map[*Deployable]bool, len(c.fresh))
	for _, p := range c.fresh {
		stored[p.Deployable] = true
	}
	var done Deployed
	err = s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		if err := held.Check(ctx, tx); err != nil {
			return err
		}
		// Compared again: functions may have been removed or rolled back in the
		// meantime, which takes no lease. Code that only this brings up may be about
		// to be purged.
		c, err := s.compare(ctx, tx, env, d, list)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(c.fresh, func(p *prepared) bool { return !stored[p.Deployable] }) {
			return errOvertaken
		}
		if err := s.apply(ctx, tx, env, &c); err != nil {
			return err
		}
		done = Deployed{Functions: c.all, Plan: c.plan}
		return nil
	})
	if err != nil {
		return Deployed{}, fmt.Errorf("deploying functions: %w", err)
	}
	return done, nil
}

// acquire takes the right to deploy to an environment.
func (s *Service) acquire(ctx context.Context, env linkspan.EnvironmentID) (*lease.Held, error) {
	held, ok, err := s.leases.Acquire(ctx, leaseKind, strconv.FormatInt(int64(env), 10))
	if err != nil {
		return nil, fmt.Errorf("deploying functions: %w", err)
	}
	if !ok {
		return nil, linkspan.E("function.Deploy", linkspan.KindConflict, "concurrent_deployment", nil,
			"Another deploy to this environment is going on.").WithHint("Try again when it has ended.")
	}
	return held, nil
}

func (s *Service) release(ctx context.Context, held *lease.Held) {
	if err := held.Release(ctx); err != nil {
		s.log.WarnContext(ctx, "giving the right to deploy back failed", "error", err)
	}
}

func (s *Service) compare(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, d *Deployment, list []prepared) (changes, error) {
	st, err := s.read(ctx, tx, env)
	if err != nil {
		return changes{}, fmt.Errorf("reading what is deployed: %w", err)
	}
	return compare(d, list, st)
}

// read reads what a deploy is compared with. Integrations come first: whoever
// deletes one holds it before its functions, too.
func (s *Service) read(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) (*state, error) {
	integrations, err := s.store.FunctionIntegrations(ctx, tx, env)
	if err != nil {
		return nil, err
	}
	st := &state{integrations: make(map[string]linkspan.Integration, len(integrations))}
	for _, i := range integrations {
		st.integrations[i.Key] = i
	}
	if st.live, err = s.store.Functions(ctx, tx, env); err != nil {
		return nil, err
	}
	removed, err := s.store.RemovedFunctions(ctx, tx, env)
	if err != nil {
		return nil, err
	}
	st.removed = make(map[identity]*linkspan.Function, len(removed))
	for i := range removed {
		st.removed[identityOf(&removed[i])] = &removed[i]
	}
	last, err := s.store.LastFunctionVersions(ctx, tx, env)
	if err != nil {
		return nil, err
	}
	st.last = make(map[linkspan.FunctionID]linkspan.FunctionVersion, len(last))
	for _, v := range last {
		st.last[v.FunctionID] = v
	}
	st.connections, err = s.store.FunctionConnections(ctx, tx, env)
	return st, err
}

// storeCode stores the texts that new versions refer to.
func (s *Service) storeCode(ctx context.Context, env linkspan.EnvironmentID, fresh []*prepared) error {
	texts := make(map[string]string, 2*len(fresh))
	for _, p := range fresh {
		texts[p.codeHash] = p.Code.Bundle
		texts[p.sourceHash] = p.Code.Source
	}
	if len(texts) == 0 {
		return nil
	}
	if err := s.store.StoreFunctionCode(ctx, env, texts); err != nil {
		return fmt.Errorf("storing the code of functions: %w", err)
	}
	return nil
}

// apply writes what a deploy changes.
func (s *Service) apply(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, c *changes) error {
	list := make([]linkspan.Function, len(c.save))
	for i, at := range c.save {
		list[i] = c.all[at]
	}
	if err := s.store.SaveFunctions(ctx, tx, env, list); err != nil {
		return err
	}
	for i, at := range c.save {
		if slices.Contains(c.off, at) { // one that is brought back is as it was then
			if err := s.store.SetFunctionEnabled(ctx, tx, &list[i], false); err != nil {
				return err
			}
		}
		c.all[at] = list[i]
	}
	if err := s.store.RemoveFunctions(ctx, tx, env, c.remove); err != nil {
		return err
	}
	return s.changed(ctx, tx, env, list, c.removed, c.before)
}
