"""Changes over HTTP."""

from aiohttp import web

from service.changes import service
from service.changes.schemas import Changes, ChangesQuery
from service.errors import NotFound
from service.postgres.pool import Record
from service.web.answers import Ok
from service.web.endpoint import endpoint
from service.web.keys import ACTOR, DB, QUERY


@endpoint(Ok(Changes, etag="revision"), query=ChangesQuery, refuses=(NotFound,))
async def page(request: web.Request, team_id: str) -> Record:
    """Follow a team: what was written after a revision, oldest first, deletions included.

    Whoever applies the items in order, from 0, has what the lists of the team have. The ETag is the team's revision.
    Somebody who left can follow to where they left: the last item is their own leaving. Of a team that was deleted, the
    last item is that.
    """
    return await service.page(request.app[DB], request[ACTOR], team_id, **request[QUERY])
