-- depends: 0004.expenses-and-entries

-- What every write of a team changed, in the order of the team's revision; written in the same transaction.
create table revisions (
    team_id uuid not null references teams (team_id),
    revision bigint not null,
    at timestamptz not null default now(),
    actor_id uuid not null,
    action text not null,
    subject_id uuid not null,
    before jsonb,
    after jsonb,
    primary key (team_id, revision),
    foreign key (team_id, actor_id) references members (team_id, member_id)
);
