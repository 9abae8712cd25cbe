"""How many statements a request takes: reads take one, writes are one transaction of a few."""

import asyncio
import contextlib
from dataclasses import replace

import pytest

from service.postgres.queries import queries
from service.web.keys import DB

beside_requests = {queries.auth.revoked.sql, queries.ops.pending.sql, queries.ops.audited.sql}


@pytest.fixture
def config(config):
    # All requests are on the one connection that is listened to.
    return replace(config, pool_size=1)


@contextlib.asynccontextmanager
async def recorded(service):
    """Yield a list that the statements of the block are put in, but for those that are asked beside the requests.

    A connection's first use of a type asks for it; let the same request come before.
    """
    statements = []
    async with service.app[DB].connections.use() as connection:
        listening = connection.query_logger(lambda record: statements.append(record.query))
    with listening:
        yield statements
        # The logger is called on the loop's next turn.
        await asyncio.sleep(0)
    statements[:] = [each for each in statements if each not in beside_requests]


def is_control(statement):
    return statement.split()[0].strip(";") in {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"}


async def test_a_read_is_one_statement(served, flat):
    await flat.guest()
    await flat.spend()
    expense = await flat.spend()
    reads = {
        "/v1/teams": queries.teams.page,
        "/v1/teams?status=deleted": queries.teams.page_deleted,
        flat.path: queries.teams.get,
        f"{flat.path}/members": queries.members.page,
        f"{flat.path}/members/{flat.owner_id}": queries.members.get,
        f"{flat.path}/expenses": queries.expenses.page_by_spent_on,
        f"{flat.path}/expenses?sort=created_at&limit=1": queries.expenses.page_by_created_at,
        f"{flat.path}/expenses/{expense['expense_id']}": queries.expenses.get,
        f"{flat.path}/balances": queries.balances.get,
        f"{flat.path}/balances?as_of=2024-02-29": queries.balances.get,
        f"{flat.path}/balances/{flat.owner_id}": queries.balances.explain,
        "/v1/me/balances": queries.me.balances,
    }
    for path, query in reads.items():
        async with recorded(served) as statements:
            answer = await flat.owner.get(path)
        assert answer.status == 200
        assert statements == [query.sql], path


async def test_a_new_expense_is_two_statements_and_one_commit(served, flat):
    await flat.guest()
    await flat.spend()
    async with recorded(served) as statements:
        await flat.spend()
    assert statements == ["BEGIN;", queries.expenses.prepare.sql, queries.expenses.create.sql, "COMMIT;"]


async def test_a_write_is_one_transaction(served, bob, flat):
    guest = await flat.guest()
    gone, expense = [await flat.spend(participants=[{"member_id": flat.owner_id}]) for _ in range(2)]
    await flat.owner.delete(f"{flat.path}/expenses/{gone['expense_id']}", if_match="*")
    writes = [
        ("POST", "/members", {"name": "Kim"}, 2),
        ("POST", "/members", {"email": bob.email}, 2),
        ("PATCH", f"/members/{guest}", {"name": "Lee"}, 2),
        ("DELETE", f"/members/{guest}", None, 2),
        ("PATCH", f"/expenses/{expense['expense_id']}", {"amount": 1}, 3),
        ("DELETE", f"/expenses/{expense['expense_id']}", None, 2),
        ("PATCH", "", {"name": "House"}, 2),
        ("DELETE", "", None, 2),
    ]
    for method, path, body, count in writes:
        async with recorded(served) as statements:
            answer = await flat.owner.call(method, flat.path + path, body, headers={"If-Match": "*"})
        assert answer.status < 300, answer.body
        assert (statements[0], statements[-1]) == ("BEGIN;", "COMMIT;")
        assert [each for each in statements[1:-1] if is_control(each)] == []
        assert len(statements) - 2 <= count, (method, path)


async def test_a_refused_write_commits_nothing(served, flat):
    await flat.spend()
    prepared = ["BEGIN;", queries.expenses.prepare.sql]
    for fields, asked in [
        ({"payers": [{"member_id": flat.owner_id, "amount": 2}]}, []),
        # Whoever is not active may be a former member with something left to settle.
        ({"payer": flat.team_id}, [queries.expenses.open_formers.sql]),
    ]:
        async with recorded(served) as statements:
            answer = await flat.owner.post(f"{flat.path}/expenses", {"description": "Dinner", "amount": 1} | fields)
        assert answer.status == 422
        assert statements == [*prepared, *asked, "ROLLBACK;"]
