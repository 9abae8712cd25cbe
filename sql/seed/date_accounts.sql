-- name: date_accounts(user_ids)$
-- Date accounts a day before their first membership.
update users
set created_at = first.joined_at - interval '1 day'
from (
    select
        user_id,
        min(joined_at) as joined_at
    from members
    where user_id = any(:user_ids::uuid[])
    group by user_id
) as first
where users.user_id = first.user_id
returning users.user_id;
