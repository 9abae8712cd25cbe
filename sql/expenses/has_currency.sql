-- name: has_currency(team_id, currency)$
-- Whether a currency is in a team's ledger; runs only for one that is not in ISO 4217, which can still be settled.
select exists(
    select 1
    from entries
    where
        team_id = :team_id
        and currency = :currency
);
