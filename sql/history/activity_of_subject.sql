-- name: activity_of_subject(team_id, user_id, subject_id, feature, action, actor, above, below, time_zone, from_day, to_day, size)
-- What was written of one subject, last first: the revisions between two, by one actor, one action or all those of a
-- feature, of some days in a time zone. What is null does not filter.
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
    and revisions.subject_id = :subject_id
    and (:feature::text is null or split_part(revisions.action, '.', 1) = :feature)
    and (:action::text is null or revisions.action = :action)
    and (:actor::uuid is null or revisions.actor_id = :actor)
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
