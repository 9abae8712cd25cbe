"""What is measured: an account, a team with many expenses that is read, and others that are written to."""

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
members_number = 5
# One team's expenses are recorded one after the other, those of several at the same time.
written_number = 32
asked_for_number = 100


class Instance(NamedTuple):
    """Who is in all teams, the team that is read, some of its expenses, and the teams that are written to."""

    user_id: str
    read_team: str
    expense_ids: list[str]
    written_teams: list[str]


async def fill(config: Config) -> Instance:
    """Fill a migrated database."""
    async with connect(config.database_url) as db, db.transaction() as transaction:
        user = await queries.auth.register(transaction, email="ann@example.com", name="Ann", password_hash="-")  # noqa: S106
        actor = Actor(user["user_id"], "")
        read_team = await _team(transaction, actor)
        expense_ids = [
            (
                await expenses.create(
                    transaction,
                    actor,
                    read_team,
                    description=f"Dinner {number}",
                    category="food",
                    amount=9001 + number,
                )
            )["expense_id"]
            for number in range(expenses_number)
        ]
        written_teams = [await _team(transaction, actor) for _ in range(written_number)]
    random = Random(20)  # noqa: S311 -- the same choice every time.
    return Instance(actor.user_id, read_team, random.sample(expense_ids, asked_for_number), written_teams)


async def _team(transaction: Transaction, actor: Actor) -> str:
    team = await teams.create(transaction, actor, name="Flat", currency="EUR")
    for number in range(1, members_number):
        await members.create(transaction, actor, team["team_id"], name=f"Guest {number}")
    return str(team["team_id"])
