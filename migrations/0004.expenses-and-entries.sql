-- depends: 0003.teams-and-members

-- Amounts are integers of the currency's minor unit (ISO 4217). `payers` and `participants` keep what was
-- typed beside the shares that came out: an edit shows it again, a restore needs nothing else.
create table expenses (
    team_id uuid not null references teams (team_id),
    expense_id uuid not null default uuidv7(),
    kind text not null default 'expense',
    description text not null,
    category text,
    amount bigint not null,
    currency text not null,
    spent_on date not null,
    notes text,
    split text not null,
    payers jsonb not null,
    participants jsonb not null,
    created_by uuid not null,
    version integer not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    primary key (team_id, expense_id),
    foreign key (team_id, created_by) references members (team_id, member_id),
    constraint expenses_kind_check check (kind in ('expense', 'settlement')),
    constraint expenses_description_check check (length(description) between 1 and 200),
    constraint expenses_category_check check (length(category) between 1 and 50),
    constraint expenses_notes_check check (length(notes) between 1 and 2000),
    constraint expenses_amount_check check (amount between 1 and 1000000000000),
    constraint expenses_currency_check check (currency ~ '^[A-Z]{3}$'),
    constraint expenses_split_check check (split in ('equal', 'exact', 'percent', 'shares', 'adjustment'))
);

-- The two orders of a page, newest first.
create index expenses_spent_on_idx on expenses (team_id, spent_on desc, expense_id desc)
where deleted_at is null and kind = 'expense';
create index expenses_created_at_idx on expenses (team_id, created_at desc, expense_id desc)
where deleted_at is null and kind = 'expense';

-- The ledger: one row per live expense and involved member.
create table entries (
    team_id uuid not null,
    expense_id uuid not null,
    member_id uuid not null,
    currency text not null,
    paid bigint not null,
    owed bigint not null,
    primary key (team_id, expense_id, member_id),
    foreign key (team_id, expense_id) references expenses (team_id, expense_id),
    foreign key (team_id, member_id) references members (team_id, member_id),
    constraint entries_paid_check check (paid >= 0),
    constraint entries_owed_check check (owed >= 0)
);

-- Balances read nothing but this index.
create index entries_balance_idx on entries (team_id, member_id, currency) include (paid, owed);

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

-- Who an expense can name: active members, and former ones as long as something is left to settle with them.
create view parties as
select
    members.team_id,
    members.member_id,
    members.left_at is null as is_active
from members
where
    members.left_at is null
    or exists (
        select 1
        from entries
        where
            entries.team_id = members.team_id
            and entries.member_id = members.member_id
        group by entries.currency
        having sum(entries.paid) <> sum(entries.owed)
    );
