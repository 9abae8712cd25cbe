drop trigger expenses_balanced on expenses;
drop trigger entries_changed on entries;
drop trigger entries_removed on entries;
drop trigger entries_added on entries;
drop trigger expenses_dated on expenses;
drop trigger entries_dated on entries;
drop function check_expenses();
drop function keep_totals();
drop function check_expense(uuid, uuid);
drop function date_entries();
drop function date_entry();
drop table totals;
drop function nearest_month_end(date);
drop function month_of(date);

alter table entries
drop column spent_on,
drop column kind;

-- The money rule, checked when a transaction commits: a live expense's entries are in its currency, and what was
-- paid and what is owed both come to its amount; a deleted expense has none.
create function check_entries() returns trigger
language plpgsql
as $$
declare
    touched record;
    expected record;
    found_entries record;
begin
    -- A row that moves leaves one expense for another: both are checked.
    for touched in
        select new.team_id, new.expense_id where new.expense_id is not null
        union
        select old.team_id, old.expense_id where old.expense_id is not null
    loop
        select
            case when deleted_at is null then amount else 0 end as amount,
            currency
        into expected
        from expenses
        where team_id = touched.team_id and expense_id = touched.expense_id;

        select
            coalesce(sum(paid), 0) as paid,
            coalesce(sum(owed), 0) as owed,
            coalesce(bool_and(currency = expected.currency), true) as in_its_currency
        into found_entries
        from entries
        where team_id = touched.team_id and expense_id = touched.expense_id;

        if
            found_entries.paid <> coalesce(expected.amount, 0)
            or found_entries.owed <> coalesce(expected.amount, 0)
            or not found_entries.in_its_currency
        then
            raise exception using
                errcode = 'check_violation',
                constraint = 'entries_balanced_check',
                message = format(
                    'expense %s of %s %s has entries with %s paid and %s owed',
                    touched.expense_id, expected.amount, expected.currency, found_entries.paid, found_entries.owed
                );
        end if;
    end loop;
    return null;
end
$$;

create constraint trigger entries_balanced
after insert or update or delete on entries
deferrable initially deferred
for each row execute function check_entries();

create constraint trigger expenses_balanced
after insert or update of amount, currency, deleted_at on expenses
deferrable initially deferred
for each row execute function check_entries();
