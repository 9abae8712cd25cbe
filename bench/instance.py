"""What is measured: an account, two teams that are read, with many expenses and very many, and others to write to."""

from random import Random
from typing import NamedTuple

from service.actor import Actor
from service.config import Config
from service.expenses import service as expenses
from service.members import service as members
from service.postgres.pool import Transaction, connect
from service.postgres.queries import queries
from service.teams import service as teams

expenses_number = 2000
# A long history: a million entries in five years.
long_expenses_number = 200_000
long_days = 5 * 365
members_number = 5
fill_seconds = 600.0
# One team's expenses are recorded one after the other, those of several at the same time.
written_number = 32
asked_for_number = 100


class Instance(NamedTuple):
    """Who is in all teams; the team that is read, its revision and some expenses; the long one; those written to."""

    user_id: str
    read_team: str
    read_revision: int
    expense_ids: list[str]
    long_team: str
    written_teams: list[str]


# What the service writes for an expense in equal shares, but for its history.
fill_long_team = """
with expense as (
    insert into expenses (
        team_id, description, category, amount, currency, spent_on, split, typed, payers, participants, created_by
    )
    select
        $1, 'Dinner ' || number, 'food', 9000, 'EUR',
        (now() at time zone 'utc')::date - (number::bigint * $3 / $2)::integer,
        'equal', '{}', '[]', '[]', parties.member_ids[1 + number % cardinality(parties.member_ids)]
    from
        generate_series(0, $2 - 1) as number,
        (select array_agg(member_id order by member_id) as member_ids from members where team_id = $1) as parties
    returning expense_id, spent_on, created_by
)
insert into entries (team_id, expense_id, member_id, currency, kind, spent_on, paid, owed)
select
    $1, expense.expense_id, members.member_id, 'EUR', 'expense', expense.spent_on,
    case when members.member_id = expense.created_by then 9000 else 0 end,
    9000 / (select count(*) from members where team_id = $1)
from expense cross join members
where members.team_id = $1
"""


async def fill(config: Config) -> Instance:
    """Fill a migrated database."""
    async with connect(config.database_url, statement_seconds=fill_seconds) as db:
        async with db.transaction() as transaction:
            user = await queries.auth.register(transaction, email="ann@example.com", name="Ann", password_hash="-")  # noqa: S106
            actor = Actor(user["user_id"], "")
            read_team, long_team, *written_teams = [await _team(transaction, actor) for _ in range(2 + written_number)]
            await transaction.allow(fill_seconds)
            await transaction.connection.execute(fill_long_team, long_team, long_expenses_number, long_days)
        # Each in its own transaction, as in life: within one, all versions of the same totals would stay in the table.
        expense_ids = [
            (
                await expenses.create(
                    db,
                    actor,
                    read_team,
                    description=f"Dinner {number}",
                    category="food",
                    amount=9001 + number,
                )
            )["expense_id"]
            for number in range(expenses_number)
        ]
    random = Random(20)  # noqa: S311 -- the same choice every time.
    asked_for = random.sample(expense_ids, asked_for_number)
    # The team itself, its guests, and its expenses.
    read_revision = members_number + expenses_number
    return Instance(actor.user_id, read_team, read_revision, asked_for, long_team, written_teams)


async def _team(transaction: Transaction, actor: Actor) -> str:
    team = await teams.create(transaction, actor, name="Flat", currency="EUR")
    for number in range(1, members_number):
        await members.create(transaction, actor, team["team_id"], name=f"Guest {number}")
    return str(team["team_id"])
