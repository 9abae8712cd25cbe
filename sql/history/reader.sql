-- name: reader(team_id, user_id, from_day, to_day)^
-- How far the actor has read a team's activity, and between which revisions all of those days are, by the team's time
-- zone; no row for an account that is not in the team. A null day is no limit. Revisions are in the order of the commits,
-- and their times are those when the transactions began, which waited for less than an hour.
select
    members.read_revision as read,
    teams.revision,
    teams.time_zone,
    coalesce(
        (
            select revisions.revision
            from revisions
            where
                revisions.team_id = :team_id
                and revisions.at < (:from_day::date::timestamp at time zone teams.time_zone) - interval '1 hour'
            order by revisions.at desc, revisions.revision desc
            limit 1
        ),
        0
    ) as above,
    coalesce(
        (
            select revisions.revision
            from revisions
            where
                revisions.team_id = :team_id
                and revisions.at
                >= ((:to_day::date + 1)::timestamp at time zone teams.time_zone) + interval '1 hour'
            order by revisions.at, revisions.revision
            limit 1
        ),
        teams.revision + 1
    ) as below
from actors
inner join teams on actors.team_id = teams.team_id
inner join members on actors.member_id = members.member_id
where
    actors.team_id = :team_id
    and actors.user_id = :user_id
    and teams.team_id = :team_id
    and members.team_id = :team_id;
