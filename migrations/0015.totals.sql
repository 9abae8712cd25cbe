-- depends: 0014.kinds

-- An entry has the kind and the day of its expense, so that totals follow from entries alone: a statement that moves an
-- expense to another month has the month before only in the entry as it was.
alter table entries
add column kind text,
add column spent_on date;

-- The previous release does not know these columns. What it writes gets them here, and so does an entry of before that
-- is changed.
create function date_entry() returns trigger
language plpgsql
as $$
begin
    select
        kind,
        spent_on
    into new.kind, new.spent_on
    from expenses
    where team_id = new.team_id and expense_id = new.expense_id;
    return new;
end
$$;

create trigger entries_dated
before insert or update on entries
for each row when (new.spent_on is null)
execute function date_entry();

-- Nor does it know that the entries have to follow an expense to another day.
create function date_entries() returns trigger
language plpgsql
as $$
begin
    update entries
    set
        kind = new.kind,
        spent_on = new.spent_on
    where
        team_id = new.team_id
        and expense_id = new.expense_id
        and (kind, spent_on) is distinct from (new.kind, new.spent_on);
    return null;
end
$$;

create trigger expenses_dated
after update on expenses
for each row when ((old.kind, old.spent_on) is distinct from (new.kind, new.spent_on))
execute function date_entries();

create function month_of(day date) returns date
language sql
immutable
strict
parallel safe
return date_trunc('month', day::timestamp)::date;

-- The last day of the month before or of the same month, whichever is closer.
create function nearest_month_end(day date) returns date
language sql
immutable
strict
parallel safe
return case when extract(day from day) < 16 then month_of(day) else month_of((day + interval '1 month')::date) end - 1;

-- What each member paid and owes in a month: the sums of their entries, which the triggers below keep exact. Once there,
-- a row stays, also with nothing in it: what was spent on once will be spent on again, and a row that changes in its
-- place, on a page with room for it, touches no index. The sum of all months is larger than a bigint only if that of one
-- is almost as large; what reads it takes it as a numeric.
create table totals (
    team_id uuid not null,
    member_id uuid not null,
    currency text not null,
    kind text not null,
    month date not null,
    paid bigint not null,
    owed bigint not null,
    primary key (team_id, member_id, currency, kind, month),
    foreign key (team_id, member_id) references members (team_id, member_id),
    -- Refuses the next expense before a sum gets larger than a bigint. There is no lower limit: within a statement that
    -- writes a row twice, a sum can be less than nothing for a moment.
    constraint totals_size_check check (paid <= 9000000000000000000 and owed <= 9000000000000000000)
) with (fillfactor = 50);

-- The money rule: a live expense's entries are in its currency, of its kind and day, and what was paid and what is owed
-- both come to its amount; a deleted expense has none.
create function check_expense(of_team uuid, of_expense uuid) returns void
language plpgsql
as $$
declare
    expected record;
    found_entries record;
begin
    select
        case when deleted_at is null then amount else 0 end as amount,
        currency,
        kind,
        spent_on
    into expected
    from expenses
    where team_id = of_team and expense_id = of_expense;

    -- Entries of before that are not dated yet are of no other day.
    select
        count(*) as number,
        coalesce(sum(paid), 0) as paid,
        coalesce(sum(owed), 0) as owed,
        coalesce(
            bool_and(currency = expected.currency and kind = expected.kind and spent_on = expected.spent_on), true
        ) as are_alike
    into found_entries
    from entries
    where team_id = of_team and expense_id = of_expense;

    if
        found_entries.paid <> coalesce(expected.amount, 0)
        or found_entries.owed <> coalesce(expected.amount, 0)
        or not found_entries.are_alike
        or (found_entries.number > 0 and coalesce(expected.amount, 0) = 0)
    then
        raise exception using
            errcode = 'check_violation',
            constraint = 'entries_balanced_check',
            message = format(
                'expense %s of %s %s has %s entries with %s paid and %s owed',
                of_expense, expected.amount, expected.currency,
                found_entries.number, found_entries.paid, found_entries.owed
            );
    end if;
end
$$;

-- Holds the money rule at the end of each statement that writes entries, and adds to the totals what it changed. Nothing
-- that writes entries can do without. Each total is written by its own statement, in the order of the key: a shard takes
-- no other form, and no two writers wait for each other.
create function keep_totals() returns trigger
language plpgsql
as $$
declare
    changes totals[];
    change totals;
begin
    -- Entries of before that are not dated yet are in no total; what dates them adds them.
    if tg_op = 'INSERT' then
        perform check_expense(team_id, expense_id)
        from (select distinct team_id, expense_id from added) as touched;

        changes := array(
            select row(team_id, member_id, currency, kind, month_of(spent_on), sum(paid), sum(owed))::totals
            from added
            group by team_id, member_id, currency, kind, month_of(spent_on)
            having sum(paid) <> 0 or sum(owed) <> 0
            order by team_id, member_id, currency, kind, month_of(spent_on)
        );
    elsif tg_op = 'DELETE' then
        perform check_expense(team_id, expense_id)
        from (select distinct team_id, expense_id from removed) as touched;

        changes := array(
            select row(team_id, member_id, currency, kind, month_of(spent_on), -sum(paid), -sum(owed))::totals
            from removed
            where spent_on is not null
            group by team_id, member_id, currency, kind, month_of(spent_on)
            having sum(paid) <> 0 or sum(owed) <> 0
            order by team_id, member_id, currency, kind, month_of(spent_on)
        );
    else
        -- A row that moves leaves one expense for another: both are checked.
        perform check_expense(team_id, expense_id)
        from (
            select team_id, expense_id from added
            union
            select team_id, expense_id from removed
        ) as touched;

        changes := array(
            select row(team_id, member_id, currency, kind, month_of(spent_on), sum(paid), sum(owed))::totals
            from (
                select team_id, member_id, currency, kind, spent_on, paid, owed from added
                union all
                select team_id, member_id, currency, kind, spent_on, -paid, -owed from removed
            ) as changed
            where spent_on is not null
            group by team_id, member_id, currency, kind, month_of(spent_on)
            having sum(paid) <> 0 or sum(owed) <> 0
            order by team_id, member_id, currency, kind, month_of(spent_on)
        );
    end if;

    foreach change in array changes loop
        insert into totals (team_id, member_id, currency, kind, month, paid, owed)
        values (
            change.team_id, change.member_id, change.currency, change.kind, change.month, change.paid, change.owed
        )
        on conflict (team_id, member_id, currency, kind, month) do update
            set
                paid = totals.paid + excluded.paid,
                owed = totals.owed + excluded.owed;
    end loop;
    return null;
end
$$;

create trigger entries_added
after insert on entries
referencing new table as added
for each statement execute function keep_totals();

create trigger entries_removed
after delete on entries
referencing old table as removed
for each statement execute function keep_totals();

create trigger entries_changed
after update on entries
referencing new table as added old table as removed
for each statement execute function keep_totals();

-- The other side of the money rule, at the commit: an expense may be written before its entries.
create function check_expenses() returns trigger
language plpgsql
as $$
begin
    perform check_expense(new.team_id, new.expense_id);
    return null;
end
$$;

drop trigger entries_balanced on entries;
drop trigger expenses_balanced on expenses;
drop function check_entries();

create constraint trigger expenses_balanced
after insert or update of amount, currency, kind, spent_on, deleted_at on expenses
deferrable initially deferred
for each row execute function check_expenses();
