-- depends: 0007.typed-splits

-- What the roles may do is said here, for all statements that write.
create or replace view actors as
select
    members.team_id,
    members.member_id,
    members.user_id,
    members.role,
    members.role in ('owner', 'admin', 'member') as can_record,
    members.role in ('owner', 'admin') as can_manage,
    teams.archived_at is not null as is_archived
from members
inner join teams on members.team_id = teams.team_id
where
    members.user_id is not null
    and members.left_at is null
    and teams.deleted_at is null;

-- What is not settled. Ask it for a team and one of its members: it adds up that member's entries.
create view open_balances as
select
    team_id,
    member_id,
    currency,
    sum(paid) - sum(owed) as net
from entries
group by team_id, member_id, currency
having sum(paid) <> sum(owed);

-- An expense as the API shows it; `team_id` is there to ask by.
create view live_expenses as
select
    team_id,
    expense_id,
    description,
    category,
    amount,
    currency,
    spent_on,
    notes,
    split,
    payers,
    participants,
    created_by,
    version,
    created_at,
    updated_at
from expenses
where
    kind = 'expense'
    and deleted_at is null;
