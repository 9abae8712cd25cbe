-- depends: 0025.read-revision

-- Nothing dated on this day or before is recorded, changed or deleted any more.
alter table teams add column closed_until date;

-- Columns of a view can only be added at its end.
create or replace view actors as
select -- noqa: ST06
    members.team_id,
    members.member_id,
    members.user_id,
    members.role,
    members.role in ('owner', 'admin', 'member') as can_record,
    members.role in ('owner', 'admin') as can_manage,
    teams.archived_at is not null as is_archived,
    teams.revision,
    teams.closed_until
from members
inner join teams on members.team_id = teams.team_id
where
    members.user_id is not null
    and members.left_at is null
    and teams.deleted_at is null;

-- What a revision holds of an expense, a settlement, a member or a team, as the API shows it. What earlier releases wrote
-- lacks the columns that were added since; it gets what these had then. A team is shown without what differs by who reads
-- it, and without its revision, which every write counts.
create or replace function shown_record(action text, record jsonb) returns jsonb
language sql
stable
parallel safe
return case
    when record is null then null
    when action like 'expenses.%'
        then jsonb_build_object(
            'expense_id', record -> 'expense_id',
            'kind', coalesce(record -> 'kind', '"expense"'),
            'description', record -> 'description',
            'category', record -> 'category',
            'amount', record -> 'amount',
            'currency', record -> 'currency',
            'spent_on', record -> 'spent_on',
            'notes', record -> 'notes',
            'external_id', record -> 'external_id',
            'metadata', coalesce(record -> 'metadata', '{}'),
            'split', record -> 'split',
            'payers', record -> 'payers',
            'participants', record -> 'participants',
            'items', record -> 'items',
            'tax', record -> 'tax',
            'tip', record -> 'tip',
            'discount', record -> 'discount',
            'created_by', record -> 'created_by',
            'version', record -> 'version',
            'created_at', shown_time((record ->> 'created_at')::timestamptz),
            'updated_at', shown_time((record ->> 'updated_at')::timestamptz)
        )
    when action like 'settlements.%'
        then jsonb_build_object(
            'settlement_id', record -> 'expense_id',
            'kind', record -> 'kind',
            'from', record #> '{payers,0,member_id}',
            'to', record #> '{participants,0,member_id}',
            'amount', coalesce(nullif(record -> 'handed_amount', 'null'), record -> 'amount'),
            'currency', coalesce(nullif(record -> 'handed_currency', 'null'), record -> 'currency'),
            'settles',
            case
                when record ->> 'handed_amount' is not null
                    then jsonb_build_object('amount', record -> 'amount', 'currency', record -> 'currency')
            end,
            'settled_on', record -> 'spent_on',
            'notes', record -> 'notes',
            'external_id', record -> 'external_id',
            'metadata', record -> 'metadata',
            'created_by', record -> 'created_by',
            'version', record -> 'version',
            'created_at', shown_time((record ->> 'created_at')::timestamptz),
            'updated_at', shown_time((record ->> 'updated_at')::timestamptz)
        )
    when action like 'members.%'
        then jsonb_build_object(
            'member_id', record -> 'member_id',
            'user_id', record -> 'user_id',
            'name', record -> 'name',
            'role', record -> 'role',
            'joined_at', shown_time((record ->> 'joined_at')::timestamptz),
            'left_at', shown_time((record ->> 'left_at')::timestamptz),
            'version', coalesce(record -> 'version', '1')
        )
    when action like 'teams.%'
        then jsonb_build_object(
            'team_id', record -> 'team_id',
            'name', record -> 'name',
            'currency', record -> 'currency',
            'time_zone', coalesce(record -> 'time_zone', '"UTC"'),
            'version', coalesce(record -> 'version', '1'),
            'archived_at', shown_time((record ->> 'archived_at')::timestamptz),
            'closed_until', record -> 'closed_until',
            'created_at', shown_time((record ->> 'created_at')::timestamptz)
        )
end;
