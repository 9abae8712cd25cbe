-- name: update(team_id, user_id, revision, versions, name, currency, time_zone, archived, closes, closed_until)^
-- Change a team, or return the refusal; null leaves a field unchanged, but for `closed_until`, which is taken if `closes`.
-- An archived team must be restored before anything else of it can change; the same as before is no change. Its version
-- must be in `versions` (null accepts any). Runs while the team is locked.
with
actor as (
    select actors.*
    from actors
    where
        team_id = :team_id
        and user_id = :user_id
),

before as (
    select
        teams.name,
        teams.currency,
        teams.time_zone,
        teams.version,
        teams.archived_at,
        teams.closed_until,
        (now() at time zone teams.time_zone)::date as today,
        to_jsonb(teams) || jsonb_build_object('revision', teams.revision - 1) as record
    from teams
    where teams.team_id = :team_id
),

verdict as (
    select
        actor.member_id,
        actor.role,
        before.version,
        before.archived_at,
        before.record,
        before.today,
        case
            when not actor.can_manage then 'managers-only'
            when
                actor.is_archived
                and :archived::boolean is not false
                and (
                    :name <> before.name
                    or :currency <> before.currency
                    or :time_zone <> before.time_zone
                    or (:closes and :closed_until::date is distinct from before.closed_until)
                )
                then 'team-archived'
            when
                :closes
                and actor.role <> 'owner'
                and coalesce(:closed_until::date, '-infinity') < before.closed_until
                then 'owners-open'
            when :closes and :closed_until::date > before.today then 'not-over'
            when before.version <> all(:versions::integer[]) then 'other-version'
        end as refusal
    from actor
    cross join before
),

team as (
    update teams
    set
        name = coalesce(:name, teams.name),
        currency = coalesce(:currency, teams.currency),
        time_zone = coalesce(:time_zone, teams.time_zone),
        archived_at = case
            when :archived::boolean is null then teams.archived_at
            when :archived::boolean then coalesce(teams.archived_at, (select now()))
        end,
        closed_until = case when :closes then :closed_until else teams.closed_until end,
        version = teams.version + 1
    from verdict
    where
        teams.team_id = :team_id
        and verdict.refusal is null
        -- One that PostgreSQL does not know is an error here.
        and (now() at time zone coalesce(:time_zone, 'UTC')) is not null
    returning
        teams.team_id,
        teams.name,
        teams.currency,
        teams.time_zone,
        teams.revision,
        teams.archived_at,
        teams.closed_until,
        teams.version,
        teams.created_at,
        verdict.record
),

history as (
    insert into revisions (team_id, revision, actor_id, action, subject_id, before, after)
    select
        :team_id,
        :revision,
        verdict.member_id,
        'teams.update',
        team.team_id,
        team.record,
        to_jsonb(team) - 'record'
    from team
    cross join verdict
)

select
    team.*,
    verdict.member_id,
    verdict.role,
    verdict.refusal,
    verdict.role as actor_role,
    verdict.version as current_version,
    verdict.archived_at as archived_before,
    verdict.today,
    :versions::integer[] as sent_versions,
    null::timestamptz as deleted_at,
    null::timestamptz as purge_at,
    (
        select coalesce(json_agg(json_build_object('currency', currency, 'net', net) order by currency), '[]'::json)
        from open_balances
        where
            open_balances.team_id = :team_id
            and open_balances.member_id = verdict.member_id
    ) as balances
from verdict
left join team on true;
