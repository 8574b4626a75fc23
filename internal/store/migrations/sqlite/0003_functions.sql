-- Functions: what is deployed, in all its versions, and what runs.

-- A removed function keeps its row, so that deployed again it goes on with its
-- version numbers.
create table functions (
    id             integer primary key autoincrement,
    uuid           text not null unique,
    environment_id integer not null references environments (id) on delete cascade,
    integration_id integer not null references integrations (id) on delete cascade,
    kind           text not null,
    name           text not null,
    enabled        integer not null check (enabled in (0, 1)),
    source         text not null,
    version_id     integer not null,
    created_at     integer not null,
    updated_at     integer not null,
    deleted_at     integer
) strict;
create unique index functions_name on functions (environment_id, integration_id, kind, name);
create index functions_integration on functions (integration_id);

create table function_versions (
    id             integer primary key autoincrement,
    uuid           text not null unique,
    environment_id integer not null references environments (id) on delete cascade,
    function_id    integer not null references functions (id) on delete cascade,
    number         integer not null,
    label          text not null,
    definition     text not null,
    code_hash      text not null,
    source_hash    text not null,
    created_at     integer not null
) strict;
create unique index function_versions_number on function_versions (function_id, number);
create index function_versions_environment on function_versions (environment_id);

-- The texts of versions, compressed, each once in an environment.
create table function_code (
    environment_id integer not null references environments (id) on delete cascade,
    hash           text not null,
    data           blob not null,
    created_at     integer not null,
    primary key (environment_id, hash)
) strict;

create table runs (
    id              integer primary key autoincrement,
    uuid            text not null unique,
    environment_id  integer not null references environments (id) on delete cascade,
    function_id     integer not null,
    connection_id   integer not null,
    kind            text not null,
    name            text not null,
    event           text not null,
    integration_key text not null,
    provider        text not null,
    connection_name text not null,
    connection_uuid text not null,
    state           text not null,
    input           blob,
    output          blob,
    error           blob,
    max_attempts    integer not null,
    attempts        integer not null,
    attempt         integer not null,
    holder          text not null,
    next_at         integer,
    lease_until     integer,
    operation_id    text not null,
    created_at      integer not null,
    started_at      integer,
    ended_at        integer,
    expires_at      integer not null
) strict;
-- Whose turn it is: per environment, what is due first; and what dead processes left.
create index runs_due on runs (environment_id, next_at, id) where state = 'waiting';
create index runs_leased on runs (lease_until) where lease_until is not null;
create index runs_newest on runs (environment_id, id);
create index runs_connection on runs (connection_id);
create index runs_ended on runs (ended_at) where ended_at is not null;

create table checkpoints (
    environment_id integer not null references environments (id) on delete cascade,
    connection_id  integer not null references connections (id) on delete cascade,
    key            text not null,
    value          text not null,
    version        integer not null,
    updated_at     integer not null,
    primary key (connection_id, key)
) strict;
create index checkpoints_environment on checkpoints (environment_id);

-- Named locks that functions take (features SDK-18).
create table function_locks (
    environment_id integer not null references environments (id) on delete cascade,
    key            text not null,
    owner          text not null,
    until          integer not null,
    primary key (environment_id, key)
) strict;
create index function_locks_owner on function_locks (owner);
create index function_locks_until on function_locks (until);
