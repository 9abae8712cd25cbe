-- depends: 0001.uuidv7

create table users (
    user_id uuid primary key default uuidv7(),
    -- In its one normal form: service/auth/__init__.py says which.
    email text not null constraint users_email_key unique,
    name text not null,
    password_hash text not null,
    created_at timestamptz not null default now(),
    deleted_at timestamptz,
    constraint users_email_check check (email = lower(email) and length(email) between 3 and 254),
    constraint users_name_check check (length(name) between 1 and 100)
);

-- A session is one log-in. Its refresh token is kept as a hash, and so is the one before, to notice reuse.
create table sessions (
    session_id uuid primary key default uuidv7(),
    user_id uuid not null references users (user_id),
    refresh_hash bytea not null,
    previous_hash bytea,
    created_at timestamptz not null default now(),
    refreshed_at timestamptz not null default now(),
    expires_at timestamptz not null,
    revoked_at timestamptz,
    client text
);

create index sessions_user_id_idx on sessions (user_id);
create index sessions_revoked_at_idx on sessions (revoked_at) where revoked_at is not null;

-- Failed log-ins by a hash of what was tried, in windows; see service/auth/service.py for the limits.
create table login_failures (
    key_hash bytea primary key,
    window_started_at timestamptz not null,
    failures integer not null
);
