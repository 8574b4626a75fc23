package host

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/protocol"
)

// levelVariable is the environment variable that sets the level of logs.
const levelVariable = "NANGO_LOGGER_LEVEL"

// Start returns the JSON that starts the function in its sandbox. For what syncs
// don't need it asks the database at most once in ten seconds per environment.
func (x *Session) Start(ctx context.Context) ([]byte, error) {
	i := &x.info
	level := i.LogLevel
	if level == "" {
		var err error
		if level, err = x.s.level(ctx, i.Environment.ID); err != nil {
			return nil, err
		}
	}
	sync, err := x.startSync(ctx)
	if err != nil {
		return nil, err
	}
	kind := string(i.Kind)
	if i.Webhook != nil || i.Request != nil {
		kind = "webhook"
	}
	out, err := json.Marshal(protocol.Start{
		Mode: "run", Kind: i.Kind, Event: i.Event, Input: i.Input, Webhook: i.Webhook, Request: i.Request, Subscriptions: i.Subscriptions, Level: level, Variant: x.variant(), Sync: sync, Attributes: i.Attributes,
		Props: protocol.Props{
			ConnectionID: i.ConnectionName, NangoConnectionID: i.ConnectionID, ProviderConfigKey: i.IntegrationKey, Provider: i.Provider,
			EnvironmentID: int64(i.Environment.ID), EnvironmentName: i.Environment.Name, AccountID: i.AccountUUID,
			ActivityLogID: i.Op.ID(), IsCLI: i.CLI, ScriptType: kind,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the start of a function: %w", err)
	}
	return out, nil
}

// startSync makes what Sync tells ready.
func (x *Session) startSync(ctx context.Context) (*protocol.SyncStart, error) {
	y := x.info.Sync
	if y == nil || x.s.c.Records == nil {
		return nil, nil //nolint:nilnil // the run has no records
	}
	if x.window() {
		if err := x.openWindows(ctx); err != nil {
			return nil, err
		}
	}
	out := &protocol.SyncStart{ID: y.UUID, Job: int64(y.Run.Run), Models: y.Models, TrackDeletes: y.TrackDeletes}
	if out.Models == nil {
		out.Models = []string{}
	}
	if !y.LastSync.IsZero() {
		out.LastSync = y.LastSync.UTC().Format(time.RFC3339Nano)
	}
	return out, nil
}

// variant is that of the sync, whose base variant takes webhooks (features VAR-08).
func (x *Session) variant() string {
	if x.info.Webhook != nil {
		return linkspan.BaseVariant
	}
	return cmp.Or(x.info.Variant, linkspan.BaseVariant)
}

// level returns the least level of messages that functions of an environment
// keep (features SDK-31).
func (s *Service) level(ctx context.Context, env linkspan.EnvironmentID) (string, error) {
	now := s.c.Now()
	s.mu.Lock()
	known, ok := s.levels[env]
	s.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.level, nil
	}
	variables, err := s.c.Variables.Variables(ctx, env)
	if err != nil {
		return "", fmt.Errorf("reading the level of logs: %w", err)
	}
	known = knownLevel{level: "warn", until: now.Add(levelFor)}
	i := slices.IndexFunc(variables, func(v linkspan.SecretPair) bool { return v.Name == levelVariable })
	if i >= 0 {
		if set := levelOf(variables[i].Value.Reveal()); set != "" {
			known.level = set
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.levels) >= maxLevels {
		clear(s.levels)
	}
	s.levels[env] = known
	return known.level, nil
}

// levelOf reads a level, also by its older names; "" when it is none.
func levelOf(text string) string {
	switch text = strings.ToLower(strings.TrimSpace(text)); text {
	case "debug", "info", "warn", "error", "off":
		return text
	case "verbose", "silly":
		return "debug"
	case "http":
		return "info"
	}
	return ""
}
