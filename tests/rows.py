"""Rows of the database: all that there are, and more of them than one would ask for through HTTP."""

import asyncpg

# Every table there is or is to come, but for those of the migrations and the one that the service fills by itself.
TABLES = """
select string_agg(format('select %1$L as name, to_jsonb(%1$I)::text as row from %1$I', relname), ' union all ')
from pg_class
where
    relkind = 'r'
    and relnamespace = 'public'::regnamespace
    and relname not like '%yoyo%'
    and relname not in ('migration_checksums', 'audits')
"""


async def all_rows(db: asyncpg.Connection) -> list[tuple[str, str]]:
    """Return the table and the JSON of every row, in an order that is always the same."""
    return [tuple(row) for row in await db.fetch(f"{await db.fetchval(TABLES)} order by name, row")]


async def user(db: asyncpg.Connection, email: str, name: str = "Liam") -> str:
    """Insert an account that nobody can log in to; return its id."""
    sql = "insert into users (email, name, password_hash) values ($1, $2, '-') returning user_id::text"
    return await db.fetchval(sql, email, name)


async def teams(db: asyncpg.Connection, user_id: str, count: int) -> None:
    """Insert teams, each with an account as its owner and only member."""
    await db.execute(
        """
        with team as (
            insert into teams (name, currency) select 'Team', 'EUR' from generate_series(1, $2) returning team_id
        )
        insert into members (team_id, user_id, name, role) select team_id, $1, 'Ann', 'owner' from team
        """,
        user_id,
        count,
    )


async def guests(db: asyncpg.Connection, team_id: str, count: int = 1) -> None:
    """Insert guests of a team: Guest 1, Guest 2 and so on."""
    await db.execute(
        """
        insert into members (team_id, name, role)
        select $1, 'Guest ' || number, 'guest' from generate_series(1, $2::integer) as number
        """,
        team_id,
        count,
    )


async def expenses(
    db: asyncpg.Connection, team_id: str, payer_id: str, count: int, *, amount: int = 100, participant_id: str = ""
) -> None:
    """Insert expenses with their entries, two on each day and two in each minute.

    One member pays for one participant, or for themselves where there is none.
    """
    await db.execute(
        """
        with expense as (
            insert into expenses (
                team_id, description, amount, currency, spent_on, split, payers, participants, created_by, created_at
            )
            select
                $1, 'Expense ' || number, $4, 'EUR', date '2024-01-01' + number / 2, 'equal', '[]', '[]', $2,
                timestamptz '2024-01-01 00:00Z' + number / 2 * interval '1 minute'
            from generate_series(1, $3::integer) as number
            returning expense_id
        ),
        share as (
            select $2::uuid as member_id, $4::bigint as paid, 0::bigint as owed
            union all
            select $5::uuid, 0, $4
        )
        insert into entries (team_id, expense_id, member_id, currency, paid, owed)
        select $1, expense_id, member_id, 'EUR', sum(paid), sum(owed)
        from expense cross join share
        group by expense_id, member_id
        """,
        *(team_id, payer_id, count, amount, participant_id or payer_id),
    )


async def login_failures(db: asyncpg.Connection, key: str, failures: int, seconds_ago: float = 0) -> None:
    """Insert failures to log in that have been counted for a key since so many seconds ago."""
    await db.execute(
        """
        insert into login_failures (key_hash, window_started_at, failures)
        values (sha256(convert_to($1, 'UTF8')), now() - $2 * interval '1 second', $3)
        """,
        key,
        seconds_ago,
        failures,
    )
