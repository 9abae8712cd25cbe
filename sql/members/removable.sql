-- name: removable(team_id, user_id, member_id)^
-- What stands against changing or removing an active member; nothing when there is none, or the actor is a stranger.
select
    actors.role as actor_role,
    actors.member_id as actor_id,
    members.role,
    (
        select count(*)
        from actors as owner
        where
            owner.team_id = :team_id
            and owner.role = 'owner'
    ) as owners,
    (
        select
            coalesce(
                json_agg(json_build_object('currency', balance.currency, 'net', balance.net) order by balance.currency),
                '[]'::json
            )
        from (
            select
                entries.currency,
                sum(entries.paid) - sum(entries.owed) as net
            from entries
            where
                entries.team_id = :team_id
                and entries.member_id = :member_id
            group by entries.currency
            having sum(entries.paid) <> sum(entries.owed)
        ) as balance
    ) as balances
from actors
inner join members on actors.team_id = members.team_id
where
    actors.team_id = :team_id
    and actors.user_id = :user_id
    and members.member_id = :member_id
    and members.left_at is null;
