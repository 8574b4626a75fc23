package client

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"

	"github.com/linkspan/linkspan/api"
)

// Action says which action to run, and for whom.
type Action struct {
	ProviderConfigKey string
	ConnectionID      string
	// Name is the action's.
	Name string
	// Input is encoded as JSON. Nil: none.
	Input any
}

// TriggerAction runs an action, waits for it and decodes what it returns into out;
// nil drops it. It needs the scope environment:actions:execute. What the action
// failed with is an *[Error], whose Upstream is the answer of an API that the
// action did not handle.
func (c *Client) TriggerAction(ctx context.Context, a Action, out any) error {
	k, err := a.call(nil)
	if err != nil {
		return err
	}
	return c.do(ctx, k, out)
}

// TriggerActionAsync has an action run in the background, and again after failures,
// at most maxRetries (0 to 5) times. The reply's ID is for [Client.ActionResult].
func (c *Client) TriggerActionAsync(ctx context.Context, a Action, maxRetries int) (api.AsyncAction, error) {
	k, err := a.call(map[string]string{"X-Async": "true", "X-Max-Retries": strconv.Itoa(maxRetries)})
	if err != nil {
		return api.AsyncAction{}, err
	}
	return bare[api.AsyncAction](ctx, c, k)
}

// ActionResult decodes what an asynchronous action returned into out. While it
// runs, and when it returned nothing, the error has the code not_found; what it
// failed with is an *[Error] like that of TriggerAction.
func (c *Client) ActionResult(ctx context.Context, id string, out any) error {
	return c.do(ctx, call{method: http.MethodGet, path: join("action", id)}, out)
}

// call makes the request that runs the action.
func (a *Action) call(header map[string]string) (call, error) {
	body := api.TriggerAction{ActionName: a.Name}
	if a.Input != nil {
		input, err := json.Marshal(a.Input)
		if err != nil {
			return call{}, fmt.Errorf("encoding the input of action %q: %w", a.Name, err)
		}
		body.Input = input
	}
	headers := map[string]string{"Connection-Id": a.ConnectionID, "Provider-Config-Key": a.ProviderConfigKey}
	maps.Copy(headers, header)
	return call{method: http.MethodPost, path: "/action/trigger", body: body, header: headers, once: true}, nil
}
