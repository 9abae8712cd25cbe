"""How queries are asked: with their names, of the pool or of a transaction; and what violated constraints become."""

import asyncpg
import pytest

from service.errors import EmailTaken
from service.postgres.queries import queries, query
from service.postgres.violations import on_violation


class Recording:
    """Answers every query with the same, and keeps how it was asked."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    async def ask(self, *asked):
        self.asked.append(asked)
        return self.answer


async def test_a_query_is_asked_with_its_name_its_text_and_its_arguments_in_order():
    recording = Recording({"amount": 1})
    found = await queries.expenses.get(recording, expense_id="e", user_id="u", team_id="t")
    assert found == {"amount": 1}
    assert recording.asked == [("fetchrow", "expenses.get", queries.expenses.get.sql, ["t", "e", "u"])]


async def test_a_query_for_rows_yields_them():
    recording = Recording([1, 2])
    found = queries.auth.failures(recording, window_seconds=1.0, key_hashes=[b"key"])
    assert [row async for row in found] == [1, 2]
    assert recording.asked == [("fetch", "auth.failures", queries.auth.failures.sql, [1.0, [b"key"]])]


async def test_a_query_for_a_value_returns_it():
    recording = Recording(answer=True)
    assert await queries.ops.migrated(recording, migration_id="0001") is True
    assert recording.asked == [("fetchval", "ops.migrated", queries.ops.migrated.sql, ["0001"])]


async def test_a_query_can_be_made_from_text():
    recording = Recording(2)
    made = query("tests.sum", "-- name: sum(a, b)$\n-- What two numbers come to.\nselect :b::int + :a::int + :b::int;")
    assert await made(recording, a=1, b=2) == 2
    assert recording.asked == [("fetchval", "tests.sum", "select $1::int + $2::int + $1::int;", [2, 1])]


CONSTRAINT = "users_email_key"
MESSAGE = 'duplicate key value violates unique constraint "{}"'


@pytest.mark.parametrize("name", [CONSTRAINT, f"{CONSTRAINT}_102356"])
async def test_a_violation_that_only_the_message_names_is_recognised(db, name):
    # As Citus passes on what a shard refuses.
    with pytest.raises(EmailTaken), on_violation(CONSTRAINT, raises=EmailTaken()):
        await db.execute(f"do $$ begin raise unique_violation using message = '{MESSAGE.format(name)}'; end $$")


@pytest.mark.parametrize("name", ["users_email_key_other", "other_users_email_key", "users_email", "users_email_key2"])
async def test_the_violation_of_another_constraint_is_not_taken_for_it(db, name):
    with pytest.raises(asyncpg.UniqueViolationError), on_violation(CONSTRAINT, raises=EmailTaken()):
        await db.execute(f"do $$ begin raise unique_violation using message = '{MESSAGE.format(name)}'; end $$")


async def test_the_constraint_s_own_name_decides_where_there_is_one(db):
    raised = "raise unique_violation using message = 'users_email_key', constraint = '{}'"
    with pytest.raises(asyncpg.UniqueViolationError), on_violation(CONSTRAINT, raises=EmailTaken()):
        await db.execute(f"do $$ begin {raised.format('users_pkey')}; end $$")
    with pytest.raises(EmailTaken), on_violation(CONSTRAINT, raises=EmailTaken()):
        await db.execute(f"do $$ begin {raised.format(CONSTRAINT)}; end $$")
