"""History over HTTP."""

from aiohttp import web

from service.errors import NotFound
from service.history import service
from service.history.schemas import ActivityQuery, HistoryQuery, ReadMark, Version, marker
from service.web.answers import NoContent, Page
from service.web.endpoint import endpoint
from service.web.keys import ACTOR, BODY, DB, QUERY

versions = Page(Version, by="subject_id", etag="revision")


@endpoint(versions, query=HistoryQuery, refuses=(NotFound,))
async def expense(request: web.Request, team_id: str, expense_id: str) -> service.Told:
    """List the versions of an expense or an income, newest first, also of a deleted one."""
    limit, after = _position(request)
    return await service.expense(request.app[DB], request[ACTOR], team_id, expense_id, limit=limit, after=after)


@endpoint(versions, query=HistoryQuery, refuses=(NotFound,))
async def settlement(request: web.Request, team_id: str, settlement_id: str) -> service.Told:
    """List the versions of a settlement, newest first, also of a deleted one."""
    limit, after = _position(request)
    return await service.settlement(request.app[DB], request[ACTOR], team_id, settlement_id, limit=limit, after=after)


@endpoint(versions, query=HistoryQuery, refuses=(NotFound,))
async def member(request: web.Request, team_id: str, member_id: str) -> service.Told:
    """List the versions of a member, active or former, newest first.

    The first owner came with the team, whose history tells of that.
    """
    limit, after = _position(request)
    return await service.member(request.app[DB], request[ACTOR], team_id, member_id, limit=limit, after=after)


@endpoint(versions, query=HistoryQuery, refuses=(NotFound,))
async def team(request: web.Request, team_id: str) -> service.Told:
    """List the versions of the team itself, newest first: its name, currency and time zone, and its archiving."""
    limit, after = _position(request)
    return await service.team(request.app[DB], request[ACTOR], team_id, limit=limit, after=after)


@endpoint(
    Page(Version, by="subject_id", name="Activity", beside={"read": marker}, etag="revision.read"),
    query=ActivityQuery,
    refuses=(NotFound,),
)
async def activity(request: web.Request, team_id: str) -> service.Told:
    """List everything that was written to the team, newest first, with a sentence for each.

    What is above `read` is unread.
    """
    query = {name: value for name, value in request[QUERY].items() if name not in {"sort", "limit", "after"}}
    limit, after = _position(request)
    return await service.activity(request.app[DB], request[ACTOR], team_id, limit=limit, after=after, **query)


@endpoint(NoContent(), body=ReadMark, refuses=(NotFound,))
async def read(request: web.Request, team_id: str) -> None:
    """Remember how far you have read the team's activity.

    It is your own marker, and no write of the team. It does not go back, unless `back` says so.
    """
    await service.read(request.app[DB], request[ACTOR], team_id, **request[BODY])


def _position(request: web.Request) -> tuple[int, int]:
    """Return how much to list, and the revision below which the list begins."""
    revision, _ = request[QUERY]["after"]
    return request[QUERY]["limit"], revision
