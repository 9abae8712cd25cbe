-- name: page(team_id, user_id, after, size)^
-- What was written to a team after a revision, oldest first, and how far the actor may follow it: a member to its latest
-- revision, also that of its deletion, and a former member to the one with which they left.
with
reader as (
    select
        members.left_at is not null or teams.deleted_at is not null as is_over,
        case
            when members.left_at is null then teams.revision
            else (
                select max(revisions.revision)
                from revisions
                where
                    revisions.team_id = :team_id
                    and revisions.subject_id = members.member_id
                    and revisions.action like 'members.%'
                    and revisions.action = 'members.delete'
            )
        end as revision
    from members
    inner join teams on members.team_id = teams.team_id
    where
        members.team_id = :team_id
        and teams.team_id = :team_id
        and members.user_id = :user_id
)

select
    reader.revision,
    reader.is_over,
    -- Revisions have no gaps.
    reader.revision > :after::bigint + :size::bigint as more,
    (
        select
            coalesce(
                json_agg(
                    json_build_object(
                        'revision', shown_changes.revision,
                        'at', shown_time(shown_changes.at),
                        'actor_id', shown_changes.actor_id,
                        'action', shown_changes.action,
                        'subject', rtrim(split_part(shown_changes.action, '.', 1), 's'),
                        'subject_id', shown_changes.subject_id,
                        'after', shown_changes.after
                    )
                    order by shown_changes.revision, shown_changes.part
                ),
                '[]'::json
            )
        from shown_changes
        where
            shown_changes.team_id = :team_id
            and shown_changes.revision > :after
            and shown_changes.revision <= least(:after::bigint + :size::bigint, reader.revision)
    ) as items
from reader
where reader.revision is not null;
