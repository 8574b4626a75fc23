-- Accounts, environments, keys, integrations, connections, the operations log,
-- and what several replicas share: the change sequence, rate counts, leases.
--
-- Times are microseconds since 1970, UTC. JSON is kept as text: the database
-- never looks inside. Columns of type blob other than hashes and key ids hold
-- what the vault sealed.

create table accounts (
    id         integer primary key autoincrement,
    uuid       text not null unique,
    name       text not null,
    created_at integer not null
) strict;

create table environments (
    id                  integer primary key autoincrement,
    uuid                text not null unique,
    account_id          integer not null references accounts (id),
    name                text not null,
    is_production       integer not null check (is_production in (0, 1)),
    public_key          text not null unique,
    webhook_signing_key blob,
    callback_url        text not null,
    hmac_enabled        integer not null check (hmac_enabled in (0, 1)),
    hmac_key            blob,
    slack_notifications integer not null check (slack_notifications in (0, 1)),
    otlp_endpoint       text not null,
    otlp_headers        blob,
    created_at          integer not null,
    updated_at          integer not null,
    deleted_at          integer
) strict;
create unique index environments_name on environments (account_id, name) where deleted_at is null;
create index environments_deleted on environments (deleted_at) where deleted_at is not null;

create table data_keys (
    environment_id integer not null references environments (id) on delete cascade,
    key_id         blob not null,
    master_id      text not null,
    wrapped        blob not null,
    active         integer not null check (active in (0, 1)),
    created_at     integer not null,
    primary key (environment_id, key_id)
) strict, without rowid;
create unique index data_keys_active on data_keys (environment_id) where active;
create index data_keys_master on data_keys (master_id, environment_id);

create table api_keys (
    id             integer primary key autoincrement,
    uuid           text not null unique,
    account_id     integer not null references accounts (id),
    environment_id integer references environments (id) on delete cascade,
    display_name   text not null,
    scopes         text not null,
    hash           blob not null unique,
    last_used_at   integer,
    created_at     integer not null
) strict;
create unique index api_keys_environment_name on api_keys (environment_id, display_name) where environment_id is not null;
create unique index api_keys_account_name on api_keys (account_id, display_name) where environment_id is null;

create table environment_variables (
    environment_id integer not null references environments (id) on delete cascade,
    name           text not null,
    value          blob not null,
    primary key (environment_id, name)
) strict, without rowid;

create table connect_sessions (
    id                   integer primary key autoincrement,
    uuid                 text not null unique,
    environment_id       integer not null references environments (id) on delete cascade,
    hash                 blob not null unique,
    allowed_integrations text not null,
    end_user             text,
    tags                 text not null,
    expires_at           integer not null,
    created_at           integer not null
) strict;
create index connect_sessions_environment on connect_sessions (environment_id);
create index connect_sessions_expires on connect_sessions (expires_at);

create table integrations (
    id               integer primary key autoincrement,
    uuid             text not null unique,
    environment_id   integer not null references environments (id),
    key              text not null,
    provider         text not null,
    display_name     text not null,
    forward_webhooks integer not null check (forward_webhooks in (0, 1)),
    secrets          blob not null,
    created_at       integer not null,
    updated_at       integer not null,
    deleted_at       integer
) strict;
create unique index integrations_key on integrations (environment_id, key) where deleted_at is null;
create index integrations_deleted on integrations (deleted_at) where deleted_at is not null;
create index integrations_environment on integrations (environment_id);

create table connections (
    id                   integer primary key autoincrement,
    uuid                 text not null unique,
    environment_id       integer not null references environments (id),
    integration_id       integer not null references integrations (id),
    name                 text not null,
    credentials          blob not null,
    credentials_version  integer not null,
    credentials_at       integer not null,
    config               blob,
    metadata             blob,
    tags                 text not null,
    end_user             text,
    end_user_id          text not null,
    organization_id      text not null,
    search               text not null,
    webhook_url_override text not null,
    expires_at           integer,
    refresh_failed_at    integer,
    refresh_failed_days  integer not null,
    refresh_exhausted    integer not null check (refresh_exhausted in (0, 1)),
    refresh_reason       text not null,
    refresh_message      text not null,
    refresh_operation    text not null,
    last_fetched_at      integer,
    created_at           integer not null,
    updated_at           integer not null,
    deleted_at           integer
) strict;
create unique index connections_name on connections (environment_id, name, integration_id) where deleted_at is null;
create index connections_newest on connections (environment_id, id);
create index connections_integration on connections (integration_id, id);
create index connections_end_user on connections (environment_id, end_user_id, id) where deleted_at is null and end_user_id <> '';
create index connections_organization on connections (environment_id, organization_id, id) where deleted_at is null and organization_id <> '';
create index connections_refresh on connections (id, credentials_at) where expires_at is not null and deleted_at is null and not refresh_exhausted;
create index connections_deleted on connections (deleted_at) where deleted_at is not null;

create table connection_tags (
    environment_id integer not null,
    connection_id  integer not null references connections (id) on delete cascade,
    key            text not null,
    value          text not null,
    primary key (connection_id, key)
) strict, without rowid;
create index connection_tags_value on connection_tags (environment_id, key, value, connection_id);

-- One row. Who changes something that caches hold takes the next number as the
-- last thing before committing.
create table change_sequence (
    id  integer primary key check (id = 1),
    seq integer not null
) strict;
insert into change_sequence (id, seq) values (1, 0);

create table changes (
    seq            integer primary key,
    kind           text not null,
    environment_id integer not null,
    key            text not null,
    at             integer not null
) strict;
create index changes_at on changes (at);

create table rate_counts (
    account_id integer not null,
    bucket     text not null,
    window_at  integer not null,
    n          integer not null,
    primary key (account_id, bucket, window_at)
) strict, without rowid;
create index rate_counts_window on rate_counts (window_at);

-- A released lease has no holder; its row stays so that attempts keep rising.
create table leases (
    kind        text not null,
    key         text not null,
    holder      text not null,
    attempt     integer not null,
    lease_until integer not null,
    state       text not null,
    taken_over  integer not null check (taken_over in (0, 1)),
    primary key (kind, key)
) strict, without rowid;
create index leases_held on leases (kind, lease_until) where holder <> '';
create index leases_released on leases (lease_until) where holder = '';

-- Ids begin with the time of creation: the primary key is also the order in
-- which operations are listed and purged. No foreign keys here: thousands of
-- rows a second would each lock their environment's row.
create table operations (
    id              text not null primary key,
    account_id      integer not null,
    environment_id  integer not null,
    type            text not null,
    action          text not null,
    state           text not null,
    message         text not null,
    integration_key text not null,
    provider        text not null,
    connection_name text not null,
    connection_uuid text not null,
    error           text,
    request         text,
    response        text,
    meta            text,
    created_at      integer not null,
    started_at      integer not null,
    ended_at        integer,
    expires_at      integer
) strict, without rowid;
create index operations_newest on operations (environment_id, id);
create index operations_connection on operations (environment_id, connection_name, id) where connection_name <> '';
create index operations_expiry on operations (expires_at) where ended_at is null and expires_at is not null;

create table messages (
    id             integer primary key autoincrement,
    operation_id   text not null,
    environment_id integer not null,
    type           text not null,
    source         text not null,
    level          text not null,
    text           text not null,
    request        text,
    response       text,
    error          text,
    retry          text,
    meta           text,
    created_at     integer not null,
    ended_at       integer
) strict;
create index messages_operation on messages (operation_id, id);
