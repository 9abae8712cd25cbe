"""The check of the whole ledger on demand: that entries come to their expenses, and totals to their entries."""

import sys
from collections.abc import AsyncIterator, Sequence
from typing import NoReturn

from tqdm import tqdm

from service.postgres.pool import Connectable, Database, connect
from service.postgres.queries import queries
from service.postgres.server import Server
from service.process.exits import StartError

# So many teams are read at a time, each from one state of the database.
teams_at_once = 200
# So many lines are said; what is wrong is counted beyond that.
lines_max = 100
# A team may have millions of expenses.
statement_seconds = 600.0
# Where standard error is no terminal, how often it says how far it is.
progress_seconds = 5.0

first_id = "00000000-0000-0000-0000-000000000000"


class Findings:
    """What is wrong: a line for each, up to a limit, their numbers, and the teams whose totals are."""

    def __init__(self) -> None:
        self.lines = 0
        self.expenses = 0
        self.balances = 0
        self.teams: list[str] = []

    def add(self, line: str) -> None:
        """Say a line, unless there were too many."""
        self.lines += 1
        if self.lines <= lines_max:
            tqdm.write(line)
        elif self.lines == lines_max + 1:
            tqdm.write("and more, which are only counted")


async def check_ledger(server: Server, *, rebuild_totals: bool) -> None:
    """Read the whole ledger, say what is wrong in it, and how far it is on standard error.

    With `rebuild_totals`, wrong totals are made from the entries again, one team after the other, locked as for a
    write. Raises StartError if something is wrong in the end, and Unavailable.
    """
    size = server.statement_cache_size
    async with connect(server.url, statement_seconds=statement_seconds, statement_cache_size=size) as db:
        number: int = await queries.ops.count_teams(db)
        findings = Findings()
        with _progress(number, "checked") as progress:
            async for team_ids in _teams(db):
                async with db.transaction() as transaction:
                    await transaction.allow(statement_seconds)
                    await _read_expenses(transaction, team_ids, findings)
                    await _read_totals(transaction, team_ids, findings)
                progress.update(len(team_ids))
        if rebuild_totals and findings.teams:
            await _rebuild(db, findings)
            tqdm.write(f"teams whose totals were made again: {len(findings.teams)}")
    if findings.expenses or findings.balances:
        raise StartError(
            f"The ledger is wrong. Expenses that their entries do not come to: {findings.expenses}; "
            f"balances whose totals are not those of their entries: {findings.balances}."
        )
    tqdm.write(f"the ledger is right; teams: {number}")


async def _teams(db: Database) -> AsyncIterator[list[str]]:
    """Yield the ids of all teams, some at a time."""
    after_id = first_id
    while True:
        rows = queries.ops.next_teams(db, after_id=after_id, size=teams_at_once)
        team_ids = [row["team_id"] async for row in rows]
        if not team_ids:
            return
        yield team_ids
        after_id = team_ids[-1]


async def _read_expenses(db: Connectable, team_ids: Sequence[str], findings: Findings) -> None:
    async for row in queries.ops.unbalanced(db, team_ids=team_ids):
        findings.expenses += row["expenses"]
        findings.add(
            f"team {row['team_id']}, {row['currency']}: expenses that their entries do not come to: {row['expenses']}, "
            f"such as {row['example']}"
        )


async def _read_totals(db: Connectable, team_ids: Sequence[str], findings: Findings) -> None:
    async for row in queries.ops.differences(db, team_ids=team_ids):
        findings.balances += 1
        if row["team_id"] not in findings.teams[-1:]:
            findings.teams.append(row["team_id"])
        # An integer of any size, which a numeric need not be written as.
        paid, owed, kept_paid, kept_owed = (int(row[name]) for name in ("paid", "owed", "kept_paid", "kept_owed"))
        findings.add(
            f"team {row['team_id']}, member {row['member_id']}, {row['currency']}: paid {paid} and owed {owed} by the "
            f"entries, but {kept_paid} and {kept_owed} by the totals, of as many months as differ: {row['months']}"
        )


async def _rebuild(db: Database, findings: Findings) -> None:
    """Make the totals of the teams where they are wrong, and look at them again before others can write."""
    findings.balances = 0
    with _progress(len(findings.teams), "rebuilt") as progress:
        for team_id in findings.teams:
            async with db.transaction() as transaction:
                await transaction.allow(statement_seconds)
                await queries.ops.hold(transaction, team_id=team_id)
                await queries.ops.rebuild(transaction, team_id=team_id)
                async for _ in queries.ops.differences(transaction, team_ids=[team_id]):
                    findings.balances += 1
            progress.update()


def _progress(number: int, verb: str) -> "tqdm[NoReturn]":
    seconds = 0.1 if sys.stderr.isatty() else progress_seconds
    return tqdm(total=number, desc=verb, unit=" teams", mininterval=seconds, file=sys.stderr)
