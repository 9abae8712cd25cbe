-- name: activity(team_id, user_id, above, below, time_zone, from_day, to_day, size)
-- What was written to a team, last first: its revisions between two, of some days in a time zone. A null day is no limit.
-- What a revision does not say of before, the one before it of the same subject does.
select
    revisions.revision,
    revisions.at,
    revisions.actor_id,
    members.name as actor_name,
    revisions.action,
    revisions.subject_id,
    revisions.after::text as after,
    coalesce(
        revisions.before,
        (
            select coalesce(earlier.after, earlier.before)
            from revisions as earlier
            where
                earlier.team_id = :team_id
                and earlier.subject_id = revisions.subject_id
                and earlier.revision < revisions.revision
            order by earlier.revision desc
            limit 1
        )
    )::text as before
from revisions
inner join members on revisions.actor_id = members.member_id
where
    revisions.team_id = :team_id
    and members.team_id = :team_id
    and revisions.revision > :above
    and revisions.revision < :below
    and (:from_day::date is null or (revisions.at at time zone :time_zone)::date >= :from_day)
    and (:to_day::date is null or (revisions.at at time zone :time_zone)::date <= :to_day)
    and exists (
        select 1
        from actors
        where
            actors.team_id = :team_id
            and actors.user_id = :user_id
    )
order by revisions.revision desc
limit :size;
