-- depends: 0011.category-index

-- Where an account has logged in from, by a hash of the network address: failed log-ins of strangers elsewhere do not
-- count there. Those seen last are kept; see service/auth/attempts.py.
create table login_places (
    user_id uuid not null references users (user_id),
    place_hash bytea not null,
    seen_at timestamptz not null default now(),
    primary key (user_id, place_hash)
);

create index login_places_seen_at_idx on login_places (seen_at);

-- Sessions as they end, in the order of the transactions that ended them, which is how every process reads what is new.
-- A row is there for as long as the session's access tokens may still be valid.
create table ended_sessions (
    ended_in xid8 not null default pg_current_xact_id(),
    session_id uuid not null,
    ended_at timestamptz not null default clock_timestamp(),
    primary key (ended_in, session_id)
);

create index ended_sessions_ended_at_idx on ended_sessions (ended_at);

-- A trigger, so that nobody can end a session unnoticed: neither the release before this one nor an operator.
create function note_ended_session() returns trigger
language plpgsql
as $$
begin
    insert into ended_sessions (session_id) values (new.session_id)
    on conflict do nothing;
    return null;
end
$$;

create trigger sessions_ended
after update of revoked_at on sessions
for each row when (old.revoked_at is null and new.revoked_at is not null)
execute function note_ended_session();

-- After the trigger, whose lock waited for those that were ending a session. A day is the longest that an access token
-- can be valid.
insert into ended_sessions (session_id, ended_at)
select
    session_id,
    revoked_at
from sessions
where revoked_at > now() - interval '1 day';
