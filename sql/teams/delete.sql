-- name: delete(team_id, user_id, revision, versions, keep_balance)^
-- Mark a team as deleted, or return the refusal: it is hidden from everybody, and its rows stay until it is purged. Its
-- version must be in `versions` (null accepts any), and its balances zero, unless they are to be kept. Runs while the
-- team is locked.
with
balance as (
    select
        json_agg(
            json_build_object('member_id', member_id, 'currency', currency, 'net', net)
            order by member_id, currency
        ) as balances
    from open_balances
    where team_id = :team_id
),

verdict as (
    select
        actors.member_id,
        actors.role,
        teams.version,
        balance.balances,
        to_jsonb(teams) || jsonb_build_object('revision', teams.revision - 1) as record,
        case
            when actors.role <> 'owner' then 'owners-only'
            when balance.balances is not null and not :keep_balance then 'open-balance'
            when teams.version <> all(:versions::integer[]) then 'other-version'
        end as refusal
    from actors
    cross join teams
    cross join balance
    where
        actors.team_id = :team_id
        and actors.user_id = :user_id
        and teams.team_id = :team_id
),

team as (
    update teams
    set
        version = teams.version + 1,
        deleted_at = now()
    from verdict
    where
        teams.team_id = :team_id
        and verdict.refusal is null
    returning teams.team_id
),

history as (
    insert into revisions (team_id, revision, actor_id, action, subject_id, before)
    select
        :team_id,
        :revision,
        verdict.member_id,
        'teams.delete',
        team.team_id,
        verdict.record
    from team
    cross join verdict
)

select
    refusal,
    role as actor_role,
    balances,
    version as current_version,
    :versions::integer[] as sent_versions
from verdict;
