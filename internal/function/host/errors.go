package host

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/function/call"
	"github.com/linkspan/linkspan/internal/function/protocol"
	"github.com/linkspan/linkspan/internal/proxy"
)

// failed turns an error into one that the function sees. What has no words for
// it is logged, and the function learns only that it happened.
func (x *Session) failed(ctx context.Context, name string, err error) error {
	if run, ok := errors.AsType[*linkspan.RunError](err); ok {
		return call.Failure{
			Code: run.Code, Message: cmp.Or(run.Message, "The action failed: "+run.Code+"."), Payload: orNil(run.Payload),
			Status: protocol.Status(run.Code), Upstream: run.Upstream,
		}.Err()
	}
	if refresh, ok := errors.AsType[*connect.RefreshError](err); ok {
		return call.Refused(refresh.Err)
	}
	if e, ok := errors.AsType[*linkspan.Error](err); ok && (e.Kind != linkspan.KindInternal || e.Code != "") {
		return call.Refused(e)
	}
	if network, ok := errors.AsType[*proxy.NetworkError](err); ok {
		return call.Failure{Code: network.Code, Message: network.Message, Network: true}.Err()
	}
	if ctx.Err() != nil {
		return call.Failure{Code: "script_aborted", Message: "The run has ended."}.Err()
	}
	x.s.c.Log.ErrorContext(ctx, "serving a call of a function failed", "call", name, "function", x.info.Function, "error", err)
	return err
}

func orNil(text json.RawMessage) any {
	if len(text) == 0 {
		return nil
	}
	return text
}
