-- depends: 0013.versions

-- What an expense can be besides money spent: money that came back (`income`), and a payment between two members
-- (`settlement`). The previous release writes expenses only, and leaves the new columns as they are.
set local statement_timeout = '60s';

alter table expenses
drop constraint expenses_kind_check,
drop constraint expenses_split_check,
drop constraint expenses_amount_check,
-- What is typed of an itemised expense, with the amounts that came out of it; null for all other splits.
add column items jsonb,
add column tax bigint,
add column tip bigint,
add column discount bigint,
-- The client's own id for it, and the client's own values.
add column external_id text,
add column metadata jsonb not null default '{}',
-- The team's revision that recorded it. With the team's id, it decides who gets the units that are left over. Null in
-- rows of the releases before: there the expense's id decides.
add column recorded_revision bigint,
-- What was handed over, if a settlement was paid in another currency than that of the debt.
add column handed_amount bigint,
add column handed_currency text,
add constraint expenses_kind_check check (kind in ('expense', 'income', 'settlement')),
add constraint expenses_split_check
check (split in ('equal', 'exact', 'percent', 'shares', 'adjustment', 'itemised')),
add constraint expenses_amount_check check (amount between 1 and 1000000000000000),
add constraint expenses_items_check check (
    (split = 'itemised') = (items is not null)
    and tax between 0 and 1000000000000000
    and tip between 0 and 1000000000000000
    and discount between 0 and 1000000000000000
),
add constraint expenses_external_id_check check (length(external_id) between 1 and 100),
add constraint expenses_metadata_check check (jsonb_typeof(metadata) = 'object'),
add constraint expenses_handed_check check (
    (handed_amount is null) = (handed_currency is null)
    and handed_amount between 1 and 1000000000000000
    and handed_currency ~ '^[A-Z]{3}$'
);

-- By which a team tells what day it is.
alter table teams add column time_zone text not null default 'UTC';
alter table teams add constraint teams_time_zone_check check (length(time_zone) between 1 and 64);

-- The keys and values of an expense's metadata, each with a part of the team's id before it, because an index of these
-- cannot begin with a column.
create function metadata_terms(team_id uuid, metadata jsonb) returns text[]
language sql
immutable
strict
parallel safe
return (
    select array_agg(right(team_id::text, 8) || each.key || ':' || each.value order by each.key)
    from jsonb_each_text(metadata) as each
);
