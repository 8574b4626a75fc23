-- Syncs, their runs, and the records that they keep.

-- A sync function at work for one connection in one variant.
create table syncs (
    id                integer primary key autoincrement,
    uuid              text not null unique,
    environment_id    integer not null references environments (id) on delete cascade,
    connection_id     integer not null references connections (id) on delete cascade,
    function_id       integer not null references functions (id) on delete cascade,
    variant           text not null,
    state             text not null,
    frequency         text not null,
    every             integer not null,
    cron              text not null,
    anchor            integer not null,
    next_at           integer,
    again integer not null check (again in (0, 1)),
    succeeded_at      integer,
    unannounced_since integer,
    unannounced       text,
    created_at        integer not null,
    updated_at        integer not null
) strict;
create unique index syncs_name on syncs (connection_id, function_id, variant);
create index syncs_function on syncs (function_id, id);
create index syncs_environment on syncs (environment_id);
create index syncs_due on syncs (next_at) where next_at is not null;
create index syncs_turns on syncs (environment_id, next_at, id) where next_at is not null;

-- What runs of syncs have besides. lane: 0 is for what somebody waits for, 1 for
-- syncs.
alter table runs add column lane integer not null default 0;
alter table runs add column sync_id integer;
alter table runs add column variant text not null default '';
alter table runs add column cause text not null default '';
alter table runs add column checkpoint_from text;
alter table runs add column checkpoint_to text;
alter table runs add column progress integer not null default 0;
alter table runs add column stalls integer not null default 0;
alter table runs add column interrupted integer not null default 0 check (interrupted in (0, 1));
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
    run_id    integer not null references runs (id) on delete cascade,
    model     text not null,
    added     integer not null,
    updated   integer not null,
    deleted   integer not null,
    unchanged integer not null,
    primary key (run_id, model)
) strict;

-- The key of the hashes that tell whether a record was changed. It never changes:
-- all records would seem to.
create table record_keys (
    environment_id integer primary key references environments (id) on delete cascade,
    sealed         blob not null,
    created_at     integer not null
) strict;

-- The records of one model of one connection in one variant. Whoever writes
-- records holds its row, so that positions are given in the order of commits.
create table record_streams (
    id             integer primary key autoincrement,
    uuid           text not null unique,
    environment_id integer not null,
    connection_id  integer not null,
    model          text not null,
    variant        text not null,
    -- The position of the newest change.
    last_at        integer not null,
    -- How many records are not deleted.
    live           integer not null,
    -- Up to which position all payloads were pruned.
    pruned_at      integer not null,
    -- When a sync of it ran last.
    touched_at     integer not null,
    -- Emptied: a job removes its records, and then the row.
    dropped_at     integer,
    -- Its records were removed; the row stays for the position.
    purged_at      integer,
    created_at     integer not null
) strict;
create unique index record_streams_name on record_streams (connection_id, model, variant) where dropped_at is null;
-- Not by last_at: with it no batch of records could change the row in place.
create index record_streams_dropped on record_streams (connection_id, model, variant) where dropped_at is not null;
create index record_streams_unpurged on record_streams (id) where dropped_at is not null and purged_at is null;
create index record_streams_touched on record_streams (touched_at) where dropped_at is null;

create table records (
    stream_id     integer not null,
    external_id   text not null,
    position      integer not null,
    action        text not null,
    hash          blob not null,
    payload       blob,
    run_id        integer not null,
    first_seen_at integer not null,
    deleted_at    integer,
    pruned_at     integer,
    primary key (stream_id, external_id)
) strict;
create unique index records_position on records (stream_id, position);

-- A time during which it is noted which records of a stream were seen, to delete
-- the others in the end. run_id: it ends with that run at the latest; null: it
-- lasts until a run ends it.
create table record_windows (
    id         integer primary key autoincrement,
    stream_id  integer not null references record_streams (id) on delete cascade,
    run_id     integer,
    began_at   integer not null,
    created_at integer not null
) strict;
create unique index record_windows_stream on record_windows (stream_id) where run_id is null;
create unique index record_windows_run on record_windows (run_id, stream_id) where run_id is not null;
-- Every write looks for the windows of its stream.
create index record_windows_all on record_windows (stream_id);
create table records_seen (
    window_id   integer not null,
    external_id text not null,
    primary key (window_id, external_id)
) strict, without rowid;
