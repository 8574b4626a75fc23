-- What the server does for authors of functions in the background: dry runs and
-- deploys of single functions.
create table author_jobs (
    id              bigint generated always as identity primary key,
    uuid            text not null unique,
    environment_id  bigint not null references environments (id) on delete cascade,
    kind            text collate "C" not null,
    state           text collate "C" not null,
    integration_key text collate "C" not null,
    function_name   text collate "C" not null,
    function_kind   text collate "C" not null,
    request         bytea,
    result          bytea,
    output          bytea,
    error           bytea,
    operation_id    text collate "C" not null,
    attempt         bigint not null,
    holder          text not null,
    lease_until     bigint,
    created_at      bigint not null,
    updated_at      bigint not null,
    started_at      bigint,
    ended_at        bigint
);
-- Environments take turns, and in each what came first is first.
create index author_jobs_open on author_jobs (environment_id, id) where ended_at is null;
create index author_jobs_ended on author_jobs (ended_at) where ended_at is not null;
-- For the removal of environments.
create index author_jobs_environment on author_jobs (environment_id);
