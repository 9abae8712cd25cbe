drop function metadata_terms(uuid, jsonb);
alter table teams drop column time_zone;
alter table expenses
drop constraint expenses_kind_check,
drop constraint expenses_split_check,
drop constraint expenses_amount_check,
drop column items,
drop column tax,
drop column tip,
drop column discount,
drop column external_id,
drop column metadata,
drop column recorded_revision,
drop column handed_amount,
drop column handed_currency,
add constraint expenses_kind_check check (kind in ('expense', 'settlement')),
add constraint expenses_split_check check (split in ('equal', 'exact', 'percent', 'shares', 'adjustment')),
add constraint expenses_amount_check check (amount between 1 and 1000000000000);
