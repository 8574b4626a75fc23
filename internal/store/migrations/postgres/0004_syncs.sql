-- Syncs, their runs, and the records that they keep.

-- A sync function at work for one connection in one variant.
create table syncs (
    id                bigint generated always as identity primary key,
    uuid              text not null unique,
    environment_id    bigint not null references environments (id) on delete cascade,
    connection_id     bigint not null references connections (id) on delete cascade,
    function_id       bigint not null references functions (id) on delete cascade,
    variant           text collate "C" not null,
    state             text collate "C" not null,
    frequency         text not null,
    every             bigint not null,
    cron              text not null,
    anchor            bigint not null,
    next_at           bigint,
    again boolean not null,
    succeeded_at      bigint,
    unannounced_since bigint,
    unannounced       text,
    created_at        bigint not null,
    updated_at        bigint not null
);
create unique index syncs_name on syncs (connection_id, function_id, variant);
create index syncs_function on syncs (function_id, id);
create index syncs_environment on syncs (environment_id);
create index syncs_due on syncs (next_at) where next_at is not null;
create index syncs_turns on syncs (environment_id, next_at, id) where next_at is not null;

-- What runs of syncs have besides. lane: 0 is for what somebody waits for, 1 for
-- syncs.
alter table runs add column lane bigint not null default 0;
alter table runs add column sync_id bigint;
alter table runs add column variant text not null default '';
alter table runs add column cause text not null default '';
alter table runs add column checkpoint_from text;
alter table runs add column checkpoint_to text;
alter table runs add column progress bigint not null default 0;
alter table runs add column stalls bigint not null default 0;
alter table runs add column interrupted boolean not null default false;
-- A sync never runs beside itself.
create unique index runs_sync_active on runs (sync_id) where sync_id is not null and ended_at is null;
create index runs_sync on runs (sync_id, id) where sync_id is not null;
-- What a sync's first run waits for.
create index runs_event on runs (connection_id) where event <> '' and ended_at is null;
-- Whose turn it is: per lane and environment, functions take turns, and of a
-- function what is due first comes first.
drop index runs_due;
create index runs_due on runs (lane, environment_id, function_id, next_at, id) where state = 'waiting';

-- What a run has changed, by model; written with the changes themselves.
create table run_models (
    run_id    bigint not null references runs (id) on delete cascade,
    model     text collate "C" not null,
    added     bigint not null,
    updated   bigint not null,
    deleted   bigint not null,
    unchanged bigint not null,
    primary key (run_id, model)
);

-- The key of the hashes that tell whether a record was changed. It never changes:
-- all records would seem to.
create table record_keys (
    environment_id bigint primary key references environments (id) on delete cascade,
    sealed         bytea not null,
    created_at     bigint not null
);

-- The records of one model of one connection in one variant. Whoever writes
-- records holds its row, so that positions are given in the order of commits.
create table record_streams (
    id             bigint generated always as identity primary key,
    uuid           text not null unique,
    environment_id bigint not null,
    connection_id  bigint not null,
    model          text collate "C" not null,
    variant        text collate "C" not null,
    -- The position of the newest change.
    last_at        bigint not null,
    -- How many records are not deleted.
    live           bigint not null,
    -- Up to which position all payloads were pruned.
    pruned_at      bigint not null,
    -- When a sync of it ran last.
    touched_at     bigint not null,
    -- Emptied: a job removes its records, and then the row.
    dropped_at     bigint,
    -- Its records were removed; the row stays for the position.
    purged_at      bigint,
    created_at     bigint not null
);
create unique index record_streams_name on record_streams (connection_id, model, variant) where dropped_at is null;
-- Not by last_at: with it no batch of records could change the row in place.
create index record_streams_dropped on record_streams (connection_id, model, variant) where dropped_at is not null;
create index record_streams_unpurged on record_streams (id) where dropped_at is not null and purged_at is null;
create index record_streams_touched on record_streams (touched_at) where dropped_at is null;

create table records (
    stream_id     bigint not null,
    external_id   text collate "C" not null,
    position      bigint not null,
    action        text collate "C" not null,
    hash          bytea not null,
    payload       bytea,
    run_id        bigint not null,
    first_seen_at bigint not null,
    deleted_at    bigint,
    pruned_at     bigint,
    primary key (stream_id, external_id)
) partition by hash (stream_id);
create table records_00 partition of records for values with (modulus 16, remainder 0);
create table records_01 partition of records for values with (modulus 16, remainder 1);
create table records_02 partition of records for values with (modulus 16, remainder 2);
create table records_03 partition of records for values with (modulus 16, remainder 3);
create table records_04 partition of records for values with (modulus 16, remainder 4);
create table records_05 partition of records for values with (modulus 16, remainder 5);
create table records_06 partition of records for values with (modulus 16, remainder 6);
create table records_07 partition of records for values with (modulus 16, remainder 7);
create table records_08 partition of records for values with (modulus 16, remainder 8);
create table records_09 partition of records for values with (modulus 16, remainder 9);
create table records_10 partition of records for values with (modulus 16, remainder 10);
create table records_11 partition of records for values with (modulus 16, remainder 11);
create table records_12 partition of records for values with (modulus 16, remainder 12);
create table records_13 partition of records for values with (modulus 16, remainder 13);
create table records_14 partition of records for values with (modulus 16, remainder 14);
create table records_15 partition of records for values with (modulus 16, remainder 15);
create unique index records_position on records (stream_id, position);

-- A time during which it is noted which records of a stream were seen, to delete
-- the others in the end. run_id: it ends with that run at the latest; null: it
-- lasts until a run ends it.
create table record_windows (
    id         bigint generated always as identity primary key,
    stream_id  bigint not null references record_streams (id) on delete cascade,
    run_id     bigint,
    began_at   bigint not null,
    created_at bigint not null
);
create unique index record_windows_stream on record_windows (stream_id) where run_id is null;
create unique index record_windows_run on record_windows (run_id, stream_id) where run_id is not null;
-- Every write looks for the windows of its stream.
create index record_windows_all on record_windows (stream_id);
create table records_seen (
    window_id   bigint not null,
    external_id text collate "C" not null,
    primary key (window_id, external_id)
);
