-- name: page_by_settled_on(team_id, user_id, from_id, to_id, member, settled_from, settled_to, external_id, metadata, after_key, after_id, size)
-- A team's live settlements, last settled first, after the position (`after_key`, `after_id`); null filters do nothing.
-- With no such row, there is one without an id: each row has the team's revision.
with
page as (
    select live_settlements.*
    from live_settlements
    where
        live_settlements.team_id = :team_id
        and (:from_id::text is null or live_settlements."from" = :from_id)
        and (:to_id::text is null or live_settlements."to" = :to_id)
        and (:member::text is null or :member in (live_settlements."from", live_settlements."to"))
        and (:settled_from::date is null or live_settlements.settled_on >= :settled_from)
        and (:settled_to::date is null or live_settlements.settled_on <= :settled_to)
        and (:external_id::text is null or live_settlements.external_id = :external_id)
        and (:metadata::jsonb is null or live_settlements.metadata @> :metadata)
        and (live_settlements.settled_on, live_settlements.settlement_id) < (:after_key::date, :after_id::uuid)
    order by live_settlements.settled_on desc, live_settlements.settlement_id desc
    limit :size
)

select
    page.*,
    actors.revision
from actors
left join page on true
where
    actors.team_id = :team_id
    and actors.user_id = :user_id
order by page.settled_on desc, page.settlement_id desc;
