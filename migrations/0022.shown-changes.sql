-- depends: 0021.member-revisions

-- A time as the API shows it: in UTC, with its microseconds if there are any.
create function shown_time(moment timestamptz) returns text
language sql
stable
strict
parallel safe
return replace(to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z');

-- What a revision holds of an expense, a settlement, a member or a team, as the API shows it. What earlier releases wrote
-- lacks the columns that were added since; it gets what these had then. A team is shown without what differs by who reads
-- it, and without its revision, which every write counts.
create function shown_record(action text, record jsonb) returns jsonb
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
            'created_at', shown_time((record ->> 'created_at')::timestamptz)
        )
end;

-- What was written to a team, as the API shows it; ask it for a team. The revision that made the team has two parts: the
-- team, and its owner, whose record is that of before their first change, or of now if there was none.
create view shown_changes as
with
-- The first revision about each member; that of the owner who made the team is a change.
first_changes as (
    select distinct on (team_id, subject_id)
        team_id,
        subject_id,
        action,
        before,
        after
    from revisions
    where action like 'members.%'
    order by team_id, subject_id, revision
)

select
    team_id,
    revision,
    1 as part,
    at,
    actor_id,
    action,
    subject_id,
    shown_record(action, after) as after
from revisions
union all
select
    made.team_id,
    made.revision,
    2 as part,
    made.at,
    made.actor_id,
    'members.create' as action,
    made.actor_id as subject_id,
    shown_record(
        'members.create',
        case changed.action
            when 'members.update' then changed.before
            when 'members.delete'
                then changed.after || jsonb_build_object(
                    'left_at', null, 'version', coalesce((changed.after ->> 'version')::integer - 1, 1)
                )
            else to_jsonb(members)
        end
    ) as after
from revisions as made
inner join members on made.team_id = members.team_id and made.actor_id = members.member_id
left join first_changes as changed
    on made.team_id = changed.team_id and made.actor_id = changed.subject_id
where
    made.revision = 1
    and made.action = 'teams.create';
