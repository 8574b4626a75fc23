-- Accounts, environments, keys, integrations, connections, the operations log,
-- and what several replicas share: the change sequence, rate counts, leases.
--
-- Times are microseconds since 1970, UTC. JSON is kept as text: the database
-- never looks inside. Names and ids sort by code point (collate "C"), as they
-- do on SQLite. Columns of type bytea other than hashes and key ids hold what
-- the vault sealed.

create table accounts (
    id         bigint generated always as identity primary key,
    uuid       text not null unique,
    name       text not null,
    created_at bigint not null
);

create table environments (
    id                  bigint generated always as identity primary key,
    uuid                text not null unique,
    account_id          bigint not null references accounts (id),
    name                text collate "C" not null,
    is_production       boolean not null,
    public_key          text not null unique,
    webhook_signing_key bytea,
    callback_url        text not null,
    hmac_enabled        boolean not null,
    hmac_key            bytea,
    slack_notifications boolean not null,
    otlp_endpoint       text not null,
    otlp_headers        bytea,
    created_at          bigint not null,
    updated_at          bigint not null,
    deleted_at          bigint
);
create unique index environments_name on environments (account_id, name) where deleted_at is null;
create index environments_deleted on environments (deleted_at) where deleted_at is not null;

create table data_keys (
    environment_id bigint not null references environments (id) on delete cascade,
    key_id         bytea not null,
    master_id      text collate "C" not null,
    wrapped        bytea not null,
    active         boolean not null,
    created_at     bigint not null,
    primary key (environment_id, key_id)
);
create unique index data_keys_active on data_keys (environment_id) where active;
create index data_keys_master on data_keys (master_id, environment_id);

create table api_keys (
    id             bigint generated always as identity primary key,
    uuid           text not null unique,
    account_id     bigint not null references accounts (id),
    environment_id bigint references environments (id) on delete cascade,
    display_name   text collate "C" not null,
    scopes         text not null,
    hash           bytea not null unique,
    last_used_at   bigint,
    created_at     bigint not null
);
create unique index api_keys_environment_name on api_keys (environment_id, display_name) where environment_id is not null;
create unique index api_keys_account_name on api_keys (account_id, display_name) where environment_id is null;

create table environment_variables (
    environment_id bigint not null references environments (id) on delete cascade,
    name           text collate "C" not null,
    value          bytea not null,
    primary key (environment_id, name)
);

create table connect_sessions (
    id                   bigint generated always as identity primary key,
    uuid                 text not null unique,
    environment_id       bigint not null references environments (id) on delete cascade,
    hash                 bytea not null unique,
    allowed_integrations text not null,
    end_user             text,
    tags                 text not null,
    expires_at           bigint not null,
    created_at           bigint not null
);
create index connect_sessions_environment on connect_sessions (environment_id);
create index connect_sessions_expires on connect_sessions (expires_at);

create table integrations (
    id               bigint generated always as identity primary key,
    uuid             text not null unique,
    environment_id   bigint not null references environments (id),
    key              text collate "C" not null,
    provider         text not null,
    display_name     text not null,
    forward_webhooks boolean not null,
    secrets          bytea not null,
    created_at       bigint not null,
    updated_at       bigint not null,
    deleted_at       bigint
);
create unique index integrations_key on integrations (environment_id, key) where deleted_at is null;
create index integrations_deleted on integrations (deleted_at) where deleted_at is not null;
create index integrations_environment on integrations (environment_id);

create table connections (
    id                   bigint generated always as identity primary key,
    uuid                 text not null unique,
    environment_id       bigint not null references environments (id),
    integration_id       bigint not null references integrations (id),
    name                 text collate "C" not null,
    credentials          bytea not null,
    credentials_version  bigint not null,
    credentials_at       bigint not null,
    config               bytea,
    metadata             bytea,
    tags                 text not null,
    end_user             text,
    end_user_id          text collate "C" not null,
    organization_id      text collate "C" not null,
    search               text not null,
    webhook_url_override text not null,
    expires_at           bigint,
    refresh_failed_at    bigint,
    refresh_failed_days  bigint not null,
    refresh_exhausted    boolean not null,
    refresh_reason       text not null,
    refresh_message      text not null,
    refresh_operation    text not null,
    last_fetched_at      bigint,
    created_at           bigint not null,
    updated_at           bigint not null,
    deleted_at           bigint
);
create unique index connections_name on connections (environment_id, name, integration_id) where deleted_at is null;
create index connections_newest on connections (environment_id, id);
create index connections_integration on connections (integration_id, id);
create index connections_end_user on connections (environment_id, end_user_id, id) where deleted_at is null and end_user_id <> '';
create index connections_organization on connections (environment_id, organization_id, id) where deleted_at is null and organization_id <> '';
create index connections_refresh on connections (id, credentials_at) where expires_at is not null and deleted_at is null and not refresh_exhausted;
create index connections_deleted on connections (deleted_at) where deleted_at is not null;

create table connection_tags (
    environment_id bigint not null,
    connection_id  bigint not null references connections (id) on delete cascade,
    key            text collate "C" not null,
    value          text collate "C" not null,
    primary key (connection_id, key)
);
create index connection_tags_value on connection_tags (environment_id, key, value, connection_id);

-- One row. Who changes something that caches hold takes the next number as the
-- last thing before committing.
create table change_sequence (
    id  bigint primary key check (id = 1),
    seq bigint not null
);
insert into change_sequence (id, seq) values (1, 0);

create table changes (
    seq            bigint primary key,
    kind           text not null,
    environment_id bigint not null,
    key            text not null,
    at             bigint not null
);
create index changes_at on changes (at);

create table rate_counts (
    account_id bigint not null,
    bucket     text collate "C" not null,
    window_at  bigint not null,
    n          bigint not null,
    primary key (account_id, bucket, window_at)
);
create index rate_counts_window on rate_counts (window_at);

-- A released lease has no holder; its row stays so that attempts keep rising.
create table leases (
    kind        text collate "C" not null,
    key         text collate "C" not null,
    holder      text not null,
    attempt     bigint not null,
    lease_until bigint not null,
    state       text not null,
    taken_over  boolean not null,
    primary key (kind, key)
);
create index leases_held on leases (kind, lease_until) where holder <> '';
create index leases_released on leases (lease_until) where holder = '';

-- Ids begin with the time of creation: the primary key is also the order in
-- which operations are listed and purged. No foreign keys here: thousands of
-- rows a second would each lock their environment's row.
create table operations (
    id              text collate "C" primary key,
    account_id      bigint not null,
    environment_id  bigint not null,
    type            text collate "C" not null,
    action          text collate "C" not null,
    state           text collate "C" not null,
    message         text not null,
    integration_key text collate "C" not null,
    provider        text not null,
    connection_name text collate "C" not null,
    connection_uuid text not null,
    error           text,
    request         text,
    response        text,
    meta            text,
    created_at      bigint not null,
    started_at      bigint not null,
    ended_at        bigint,
    expires_at      bigint
);
create index operations_newest on operations (environment_id, id);
create index operations_connection on operations (environment_id, connection_name, id) where connection_name <> '';
create index operations_expiry on operations (expires_at) where ended_at is null and expires_at is not null;

create table messages (
    id             bigint generated always as identity primary key,
    operation_id   text collate "C" not null,
    environment_id bigint not null,
    type           text not null,
    source         text not null,
    level          text not null,
    text           text not null,
    request        text,
    response       text,
    error          text,
    retry          text,
    meta           text,
    created_at     bigint not null,
    ended_at       bigint
);
create index messages_operation on messages (operation_id, id);
