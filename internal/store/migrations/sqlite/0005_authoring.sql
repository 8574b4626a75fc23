-- What the server does for authors of functions in the background: dry runs and
-- deploys of single functions.
create table author_jobs (
    id              integer primary key autoincrement,
    uuid            text not null unique,
    environment_id  integer not null references environments (id) on delete cascade,
    kind            text not null,
    state           text not null,
    integration_key text not null,
    function_name   text not null,
    function_kind   text not null,
    request         blob,
    result          blob,
    output          blob,
    error           blob,
    operation_id    text not null,
    attempt         integer not null,
    holder          text not null,
    lease_until     integer,
    created_at      integer not null,
    updated_at      integer not null,
    started_at      integer,
    ended_at        integer
) strict;
-- Environments take turns, and in each what came first is first.
create index author_jobs_open on author_jobs (environment_id, id) where ended_at is null;
create index author_jobs_ended on author_jobs (ended_at) where ended_at is not null;
-- For the removal of environments.
create index author_jobs_environment on author_jobs (environment_id);
