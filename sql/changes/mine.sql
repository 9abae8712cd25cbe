-- name: mine(user_id, team_ids, afters, size)^
-- What was written to all teams that the actor is or was in, after a revision of each, `afters`, or from the beginning: up
-- to so many revisions in all, team by team, in each the oldest first. How far a former member may follow is as in page.
with
known as (
    select
        listed.team_id,
        listed.after
    from unnest(:team_ids::uuid[], :afters::bigint[]) as listed (team_id, after)
),

followed as (
    select
        members.team_id,
        members.left_at is not null or teams.deleted_at is not null as is_over,
        members.left_at is null as is_active,
        known.team_id is not null as is_known,
        coalesce(known.after, 0) as after,
        case
            when members.left_at is null then teams.revision
            else (
                select max(revisions.revision)
                from revisions
                where
                    revisions.team_id = members.team_id
                    and revisions.subject_id = members.member_id
                    and revisions.action like 'members.%'
                    and revisions.action = 'members.delete'
            )
        end as revision
    from members
    inner join teams on members.team_id = teams.team_id
    left join known on members.team_id = known.team_id
    where members.user_id = :user_id
),

-- Revisions have no gaps, so it is known before any is read how many of each team there is room for.
counted as (
    select
        followed.team_id,
        followed.is_over,
        followed.is_active,
        followed.is_known,
        followed.after,
        followed.revision,
        greatest(
            0,
            least(
                followed.revision - followed.after,
                :size::bigint - coalesce(
                    sum(followed.revision - followed.after) over (
                        order by followed.team_id
                        rows between unbounded preceding and 1 preceding
                    ),
                    0
                )
            )
        )::bigint as taken
    from followed
),

items as (
    select
        json_agg(
            json_build_object(
                'team_id', counted.team_id,
                'revision', change.revision,
                'at', shown_time(change.at),
                'actor_id', change.actor_id,
                'action', change.action,
                'subject', rtrim(split_part(change.action, '.', 1), 's'),
                'subject_id', change.subject_id,
                'after', change.after
            )
            order by counted.team_id, change.revision, change.part
        ) as items
    from
        counted,
        lateral (
            select
                shown_changes.revision,
                shown_changes.part,
                shown_changes.at,
                shown_changes.actor_id,
                shown_changes.action,
                shown_changes.subject_id,
                shown_changes.after
            from shown_changes
            where
                shown_changes.team_id = counted.team_id
                and shown_changes.revision > counted.after
                and shown_changes.revision <= counted.after + counted.taken
            order by shown_changes.revision, shown_changes.part
            -- The first revision has two parts. With a limit, this is asked by team, and not for all teams there are.
            limit :size::bigint + 1
        ) as change
    where counted.taken > 0
)

select
    coalesce((select items.items from items), '[]'::json) as items,
    coalesce(sum(counted.revision), 0)::bigint as revision,
    coalesce(sum(counted.revision - counted.after) > :size, false) as more,
    count(*) as teams,
    count(*) || ':' || count(*) filter (where counted.is_active) as memberships,
    coalesce(bool_or(counted.after > counted.revision), false)
    or count(*) filter (where counted.is_known) < cardinality(:team_ids) as is_foreign,
    coalesce(array_agg(counted.team_id), '{}') as team_ids,
    coalesce(array_agg(counted.after + counted.taken), '{}') as reached,
    coalesce(array_agg(counted.team_id) filter (where not counted.is_over), '{}') as open_ids
from counted;
