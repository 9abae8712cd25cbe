-- depends: 0002.users-and-sessions

-- Every write of a team begins with `update teams set revision = revision + 1`: it locks the team, so the
-- revisions are gapless and in order. The free space keeps those updates on the row's own page.
create table teams (
    team_id uuid primary key default uuidv7(),
    name text not null,
    currency text not null,
    revision bigint not null default 1,
    archived_at timestamptz,
    deleted_at timestamptz,
    created_at timestamptz not null default now(),
    constraint teams_name_check check (length(name) between 1 and 100),
    constraint teams_currency_check check (currency ~ '^[A-Z]{3}$')
) with (fillfactor = 50);

-- A member is a party in the ledger: an account, or a guest who has only a name.
create table members (
    team_id uuid not null references teams (team_id),
    member_id uuid not null default uuidv7(),
    user_id uuid references users (user_id),
    name text not null,
    role text not null,
    joined_at timestamptz not null default now(),
    left_at timestamptz,
    primary key (team_id, member_id),
    constraint members_team_id_user_id_key unique (team_id, user_id),
    constraint members_name_check check (length(name) between 1 and 100),
    constraint members_role_check check (role in ('owner', 'admin', 'member', 'viewer', 'guest')),
    constraint members_guest_check check ((role = 'guest') = (user_id is null))
);

create index members_user_id_idx on members (user_id) where left_at is null;

-- Who may act in a team: every statement that answers a person joins this.
create view actors as
select
    members.team_id,
    members.member_id,
    members.user_id,
    members.role
from members
inner join teams on members.team_id = teams.team_id
where
    members.user_id is not null
    and members.left_at is null
    and teams.deleted_at is null;
