-- name: purge_accounts(team_id)$
-- Take a team's members from their accounts, and return how many: whatever is left of the team, from now on nobody is in
-- it who could read or restore it. Runs while the team is locked.
with
parted as (
    update members
    set
        user_id = null,
        role = 'guest'
    where
        team_id = :team_id
        and user_id is not null
    returning member_id
)

select count(*)
from parted;
