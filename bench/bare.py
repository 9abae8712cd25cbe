"""The service's peer: the same statements on asyncpg's own pool, with nothing around them.

No checks, no authentication, no log, no metrics, no errors. What the service costs is the difference to this.
Run by run.py, which sees to it that both give the same answers: `python bench/bare.py USER_ID`.
"""

import asyncio
import datetime
import sys
from operator import itemgetter
from typing import Any

import asyncpg
import orjson
import uvloop
from aiohttp import web

from service.config import load
from service.expenses.schemas import Expense
from service.postgres.pool import pool_of
from service.postgres.queries import queries
from service.postgres.server import Server
from service.web.runner import runner

last_id = "ffffffff-ffff-ffff-ffff-ffffffffffff"
pool_key: web.AppKey["asyncpg.Pool[asyncpg.Record]"] = web.AppKey("pool", asyncpg.Pool)
user_id = sys.argv[1]
# An expense's columns are more than what is shown of it.
fields = list(Expense().fields)
values_of = itemgetter(*fields)


async def page(request: web.Request) -> web.Response:
    """Return the first page of a team's expenses, or 304 if the client has it."""
    team_id, limit = request.match_info["team_id"], int(request.query["limit"])
    if sent := request.headers.get("If-None-Match"):
        state: Any = await request.app[pool_key].fetchrow(queries.teams.state.sql, team_id, user_id)
        if sent == f'"{state["revision"]}"':
            return web.Response(status=304, headers={"ETag": sent})
    rows = await request.app[pool_key].fetch(
        queries.expenses.page_by_spent_on.sql,
        *arguments(
            "expenses.page_by_spent_on",
            team_id=team_id,
            user_id=user_id,
            kinds=["expense", "income"],
            after_key=datetime.date.max,
            after_id=last_id,
            size=limit + 1,
        ),
    )
    return _json({"items": list(map(_expense, rows[:limit]))})


async def get(request: web.Request) -> web.Response:
    """Return an expense."""
    team_id, expense_id = request.match_info["team_id"], request.match_info["expense_id"]
    return _json(_expense(await request.app[pool_key].fetchrow(queries.expenses.get.sql, team_id, expense_id, user_id)))


async def balances(request: web.Request) -> web.Response:
    """Return a team's balances, as of a day if one is given."""
    team_id, as_of = request.match_info["team_id"], request.query.get("as_of")
    day = datetime.date.fromisoformat(as_of) if as_of else None
    return _json(await request.app[pool_key].fetchrow(queries.balances.get.sql, team_id, user_id, day))


async def changes(request: web.Request) -> web.Response:
    """Return what was written to a team after a revision."""
    parameters = {name: int(request.query[name]) for name in ("after", "limit")}
    given = {"team_id": request.match_info["team_id"], "user_id": user_id, "size": parameters["limit"]} | parameters
    record: Any = await request.app[pool_key].fetchrow(queries.changes.page.sql, *arguments("changes.page", **given))
    return _json({name: record[name] for name in ("items", "revision", "more")})


async def create(request: web.Request) -> web.Response:
    """Record an expense in equal shares of all members."""
    team_id, body = request.match_info["team_id"], orjson.loads(await request.read())
    async with request.app[pool_key].acquire() as connection, connection.transaction():
        team: Any = await connection.fetchrow(queries.expenses.prepare.sql, team_id, user_id)
        member_ids, amount = team["everybody"], body["amount"]
        share, left_over = divmod(amount, len(member_ids))
        owed = [share + (index < left_over) for index in range(len(member_ids))]
        expense = await connection.fetchrow(
            queries.expenses.create.sql,
            *arguments(
                "expenses.create",
                team_id=team_id,
                user_id=user_id,
                revision=team["revision"],
                expense_id=team["expense_id"],
                kind="expense",
                description=body["description"],
                amount=amount,
                currency=team["currency"],
                spent_on=team["today"],
                metadata={},
                split="equal",
                typed={"payer": team["member_id"], "participants": [{"member_id": each} for each in member_ids]},
                payers=[{"member_id": team["member_id"], "amount": amount}],
                participants=[{"member_id": each, "amount": part} for each, part in zip(member_ids, owed, strict=True)],
                everybody=member_ids,
                former_ids=[],
                member_ids=member_ids,
                paid=[amount if each == team["member_id"] else 0 for each in member_ids],
                owed=owed,
            ),
        )
    return _json(_expense(expense), 201)


def arguments(name: str, **parameters: Any) -> list[Any]:
    """Return the arguments of a query in the order in which its text mentions them; null for those left out."""
    return [parameters.get(each) for each in queries.driver_adapter.var_sorted[name]]


def _expense(record: Any) -> dict[str, Any]:
    return dict(zip(fields, values_of(record), strict=True))


def _json(record: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=orjson.dumps(record, default=dict, option=orjson.OPT_UTC_Z), status=status, content_type="application/json"
    )


async def _serve() -> None:
    app = web.Application()
    app.router.add_get("/v1/teams/{team_id}/expenses", page)
    app.router.add_post("/v1/teams/{team_id}/expenses", create)
    app.router.add_get("/v1/teams/{team_id}/expenses/{expense_id}", get)
    app.router.add_get("/v1/teams/{team_id}/balances", balances)
    app.router.add_get("/v1/teams/{team_id}/changes", changes)
    config = load()
    server = Server(
        config.database_url,
        statement_seconds=config.statement_seconds,
        statement_cache_size=config.statement_cache_size,
    )
    async with pool_of(server, size=config.pool_size) as app[pool_key]:
        serving = runner(app)
        await serving.setup()
        await web.TCPSite(serving, config.host, config.port).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve())
