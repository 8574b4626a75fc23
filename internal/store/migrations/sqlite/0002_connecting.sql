-- Connecting accounts: what connect sessions carry, authorizations in progress,
-- what waiting pages are told, and webhooks to the customer's backend.

alter table environments add column public_key_enabled integer not null default 0 check (public_key_enabled in (0, 1));
alter table environments add column previous_signing_key blob;
alter table environments add column previous_signing_key_until integer;
alter table environments add column webhook_settings text not null
    default '{"on_auth_creation":true,"on_auth_deletion":true,"on_auth_refresh_error":true,"on_sync_error":true}';
alter table environments add column connect_ui text not null default '{}';
update environments set public_key_enabled = not is_production;

alter table connect_sessions add column reconnect_id integer;
alter table connect_sessions add column defaults blob;
alter table connect_sessions add column overrides text not null default '{}';
alter table connect_sessions add column webhook_url_override text not null default '';
alter table connect_sessions add column operation_id text not null default '';

create table oauth_sessions (
    id                 integer primary key autoincrement,
    uuid               text not null unique,
    environment_id     integer not null references environments (id) on delete cascade,
    state_hash         blob not null unique,
    browser_hash       blob not null,
    connect_session_id integer,
    integration_key    text not null,
    connection_name    text not null,
    popup_id           text not null,
    operation_id       text not null,
    payload            blob,
    expires_at         integer not null,
    used_at            integer,
    created_at         integer not null
) strict;
create index oauth_sessions_environment on oauth_sessions (environment_id);
create index oauth_sessions_expires on oauth_sessions (expires_at);

-- A row is here from the moment the provider has given the grant until the
-- connection is stored or refused.
create table authorizations (
    id              integer primary key autoincrement,
    uuid            text not null unique,
    environment_id  integer not null references environments (id) on delete cascade,
    integration_key text not null,
    connection_name text not null,
    payload         blob not null,
    created_at      integer not null
) strict;
create index authorizations_environment on authorizations (environment_id);

create table popup_results (
    popup_id   text primary key,
    message    text not null,
    created_at integer not null
) strict;
create index popup_results_created on popup_results (created_at);

create table webhook_events (
    id              integer primary key autoincrement,
    uuid            text not null unique,
    environment_id  integer not null references environments (id) on delete cascade,
    type            text not null,
    operation       text not null,
    integration_key text not null,
    provider        text not null,
    connection_name text not null,
    connection_uuid text not null,
    body            blob not null,
    created_at      integer not null
) strict;
create index webhook_events_connection on webhook_events (environment_id, connection_name);
create index webhook_events_created on webhook_events (created_at);

create table webhook_deliveries (
    id             integer primary key autoincrement,
    uuid           text not null unique,
    event_id       integer not null references webhook_events (id) on delete cascade,
    environment_id integer not null references environments (id) on delete cascade,
    url            text not null,
    destination    text not null,
    state          text not null,
    attempts       integer not null,
    attempt        integer not null,
    holder         text not null,
    next_at        integer,
    lease_until    integer,
    last_status    integer not null,
    last_error     text not null,
    operation_id   text not null,
    created_at     integer not null,
    ended_at       integer
) strict;
create index webhook_deliveries_event on webhook_deliveries (event_id);
create index webhook_deliveries_newest on webhook_deliveries (environment_id, id);
-- What people look for is rare among what went well.
create index webhook_deliveries_troubled on webhook_deliveries (environment_id, id) where state <> 'delivered';
-- Whom to send to next: per receiver, what is due first; and what dead senders left.
create index webhook_deliveries_due on webhook_deliveries (destination, environment_id, next_at, id) where state = 'pending' and lease_until is null;
create index webhook_deliveries_leased on webhook_deliveries (lease_until) where lease_until is not null;
