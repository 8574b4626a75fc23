package schedule

import (
	"context"
	"fmt"
	"strings"

	"github.com/linkspan/linkspan"
)

// MaxSyncs is how many syncs a connection may have, all variants counted (features
// VAR-04).
const MaxSyncs = 100

// CreateVariant makes another variant of a sync for one connection, with its own
// schedule, checkpoint and records. It runs at once if the function starts by
// itself. Codes: invalid_variant, unknown_provider_config, unknown_connection,
// unknown_sync, sync_variant_already_exists, resource_capped.
func (s *Service) CreateVariant(ctx context.Context, env linkspan.EnvironmentID, integrationKey, connectionName string, ref Ref) (linkspan.Sync, error) {
	op := s.ops.Start(linkspan.Operation{
		EnvironmentID: env, Type: linkspan.OperationSync, Action: linkspan.ActionCreateVariant, IntegrationKey: integrationKey, ConnectionName: connectionName,
	})
	made, err := s.createVariant(ctx, env, integrationKey, connectionName, ref)
	if err != nil {
		op.FailWith(err)
		return linkspan.Sync{}, fmt.Errorf("creating the variant %q of sync %q: %w", ref.Variant, ref.Name, err)
	}
	op.Describe("", made.Provider, "", made.ConnectionUUID)
	op.Succeed(fmt.Sprintf("Created the variant %s of the sync %s.", made.Variant, made.Name))
	s.wake()
	return *made, nil
}

func (s *Service) createVariant(ctx context.Context, env linkspan.EnvironmentID, integrationKey, connectionName string, ref Ref) (*linkspan.Sync, error) {
	const op = "schedule.CreateVariant"
	if err := checkVariant(op, ref); err != nil {
		return nil, err
	}
	i, err := s.store.SyncIntegration(ctx, nil, env, integrationKey)
	if err != nil {
		return nil, unknownIntegration(op, integrationKey, err)
	}
	var made *linkspan.Sync
	err = s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		functions, err := s.store.SyncFunctions(ctx, tx, env, i.ID)
		if err != nil {
			return err
		}
		// Held, so that two can't both be the last one that there is room for.
		c, err := s.store.SyncConnection(ctx, tx, env, i.ID, connectionName)
		if err != nil {
			return unknownConnection(op, integrationKey, connectionName, err)
		}
		fn := named(functions, ref.Name)
		if fn == nil {
			return unknownSync(op, ref)
		}
		made, err = s.insertVariant(ctx, tx, fn, &c, ref)
		return err
	})
	return made, err
}

func (s *Service) insertVariant(ctx context.Context, tx linkspan.Tx, fn *linkspan.Function, c *linkspan.Connection, ref Ref) (*linkspan.Sync, error) {
	const op = "schedule.CreateVariant"
	n, err := s.store.CountSyncs(ctx, tx, c.EnvironmentID, c.ID)
	if err != nil {
		return nil, err
	}
	there, err := s.store.SyncIDs(ctx, tx, c.EnvironmentID, fn.ID, ref.Variant, c.ID)
	if err != nil {
		return nil, err
	}
	if len(there) > 0 {
		return nil, linkspan.E(op, linkspan.KindConflict, "sync_variant_already_exists", nil, "The sync %q has a variant %q for this connection already.", ref.Name, ref.Variant)
	}
	if n >= MaxSyncs {
		return nil, linkspan.E(op, linkspan.KindInvalid, "resource_capped", nil,
			"The connection has %d syncs, variants included; %d is the limit.", n, MaxSyncs).WithHint("Delete variants that are not used any more.")
	}
	now, err := s.store.Clock(ctx, tx)
	if err != nil {
		return nil, err
	}
	sy, err := newSync(fn, c, ref.Variant, now)
	if err != nil {
		return nil, err
	}
	return sy, s.store.InsertSyncs(ctx, tx, []*linkspan.Sync{sy})
}

// DeleteVariant removes a variant with its checkpoint and its records; its run is
// aborted. Codes: invalid_variant for the base variant, unknown_provider_config,
// unknown_connection, and not_found when there is no such variant.
func (s *Service) DeleteVariant(ctx context.Context, env linkspan.EnvironmentID, integrationKey, connectionName string, ref Ref) error {
	op := s.ops.Start(linkspan.Operation{
		EnvironmentID: env, Type: linkspan.OperationSync, Action: linkspan.ActionDeleteVariant, IntegrationKey: integrationKey, ConnectionName: connectionName,
	})
	o, err := s.deleteVariant(ctx, env, integrationKey, connectionName, ref)
	if err != nil {
		op.FailWith(err)
		return fmt.Errorf("deleting the variant %q of sync %q: %w", ref.Variant, ref.Name, err)
	}
	op.Describe("", o.integration.Provider, "", o.connection.UUID)
	op.Succeed(fmt.Sprintf("Deleted the variant %s of the sync %s.", ref.Variant, ref.Name))
	return nil
}

func (s *Service) deleteVariant(ctx context.Context, env linkspan.EnvironmentID, integrationKey, connectionName string, ref Ref) (*found, error) {
	const op = "schedule.DeleteVariant"
	missing := linkspan.E(op, linkspan.KindNotFound, "not_found", nil, "The sync %q has no variant %q for this connection.", ref.Name, ref.Variant)
	if err := checkVariant(op, ref); err != nil {
		return nil, err
	}
	o, err := s.one(ctx, env, integrationKey, connectionName, ref)
	if linkspan.CodeOf(err) == "unknown_sync" {
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	err = s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		functions, err := s.store.SyncFunctions(ctx, tx, env, o.integration.ID)
		if err != nil {
			return err
		}
		list, err := s.store.Syncs(ctx, tx, env, []linkspan.SyncID{o.id})
		if err != nil {
			return err
		}
		fn := named(functions, ref.Name)
		if len(list) == 0 || fn == nil {
			return missing
		}
		ids := idsOf(list)
		if err := s.cancel(ctx, tx, env, ids, false); err != nil {
			return err
		}
		if err := s.dropModels(ctx, tx, fn, functions, ids, fn.Version.Definition.Models); err != nil {
			return err
		}
		return s.store.DeleteSyncs(ctx, tx, ids)
	})
	return o, err
}

// checkVariant refuses the base variant, which every sync has, and what is no name
// (wire contract §3).
func checkVariant(op string, ref Ref) error {
	if ref.variant() == linkspan.BaseVariant {
		return linkspan.E(op, linkspan.KindInvalid, "invalid_variant", nil, "The variant %q is every sync's and can be neither created nor deleted.", linkspan.BaseVariant)
	}
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	if len(ref.Variant) > 255 || strings.Trim(ref.Variant, allowed) != "" {
		return linkspan.E(op, linkspan.KindInvalid, "invalid_variant", nil, "The name of a variant consists of letters, digits, _ and -, 255 at most.")
	}
	return nil
}
