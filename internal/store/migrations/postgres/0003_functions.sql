-- Functions: what is deployed, in all its versions, and what runs.

-- A removed function keeps its row, so that deployed again it goes on with its
-- version numbers.
create table functions (
    id             bigint generated always as identity primary key,
    uuid           text not null unique,
    environment_id bigint not null references environments (id) on delete cascade,
    integration_id bigint not null references integrations (id) on delete cascade,
    kind           text collate "C" not null,
    name           text collate "C" not null,
    enabled        boolean not null,
    source         text collate "C" not null,
    version_id     bigint not null,
    created_at     bigint not null,
    updated_at     bigint not null,
    deleted_at     bigint
);
create unique index functions_name on functions (environment_id, integration_id, kind, name);
create index functions_integration on functions (integration_id);

create table function_versions (
    id             bigint generated always as identity primary key,
    uuid           text not null unique,
    environment_id bigint not null references environments (id) on delete cascade,
    function_id    bigint not null references functions (id) on delete cascade,
    number         bigint not null,
    label          text not null,
    definition     text not null,
    code_hash      text collate "C" not null,
    source_hash    text collate "C" not null,
    created_at     bigint not null
);
create unique index function_versions_number on function_versions (function_id, number);
create index function_versions_environment on function_versions (environment_id);

-- The texts of versions, compressed, each once in an environment.
create table function_code (
    environment_id bigint not null references environments (id) on delete cascade,
    hash           text collate "C" not null,
    data           bytea not null,
    created_at     bigint not null,
    primary key (environment_id, hash)
);

create table runs (
    id              bigint generated always as identity primary key,
    uuid            text not null unique,
    environment_id  bigint not null references environments (id) on delete cascade,
    function_id     bigint not null,
    connection_id   bigint not null,
    kind            text collate "C" not null,
    name            text collate "C" not null,
    event           text collate "C" not null,
    integration_key text collate "C" not null,
    provider        text not null,
    connection_name text collate "C" not null,
    connection_uuid text not null,
    state           text collate "C" not null,
    input           bytea,
    output          bytea,
    error           bytea,
    max_attempts    bigint not null,
    attempts        bigint not null,
    attempt         bigint not null,
    holder          text not null,
    next_at         bigint,
    lease_until     bigint,
    operation_id    text not null,
    created_at      bigint not null,
    started_at      bigint,
    ended_at        bigint,
    expires_at      bigint not null
);
-- Whose turn it is: per environment, what is due first; and what dead processes left.
create index runs_due on runs (environment_id, next_at, id) where state = 'waiting';
create index runs_leased on runs (lease_until) where lease_until is not null;
create index runs_newest on runs (environment_id, id);
create index runs_connection on runs (connection_id);
create index runs_ended on runs (ended_at) where ended_at is not null;

create table checkpoints (
    environment_id bigint not null references environments (id) on delete cascade,
    connection_id  bigint not null references connections (id) on delete cascade,
    key            text collate "C" not null,
    value          text not null,
    version        bigint not null,
    updated_at     bigint not null,
    primary key (connection_id, key)
);
create index checkpoints_environment on checkpoints (environment_id);

-- Named locks that functions take (features SDK-18).
create table function_locks (
    environment_id bigint not null references environments (id) on delete cascade,
    key            text collate "C" not null,
    owner          text collate "C" not null,
    until          bigint not null,
    primary key (environment_id, key)
);
create index function_locks_owner on function_locks (owner);
create index function_locks_until on function_locks (until);
