"""Changes over HTTP."""

from functools import partial
from typing import Any

from aiohttp import web

from service.changes import service
from service.changes.keys import WAITING
from service.changes.schemas import Changes, ChangesQuery, OwnChanges, OwnChangesQuery
from service.errors import NotFound, TooManyTeams, TooManyWaiting
from service.postgres.pool import Record
from service.web.answers import Ok
from service.web.endpoint import endpoint
from service.web.keys import ACTOR, DB, QUERY
from service.web.middleware import authenticate
from service.web.request import ended_by_its_client


@endpoint(Ok(Changes, etag="revision"), query=ChangesQuery, refuses=(NotFound, TooManyWaiting))
async def page(request: web.Request, team_id: str) -> Record:
    """Follow a team: what was written after a revision, oldest first, deletions included.

    Whoever applies the items in order, from 0, has what the lists of the team have. The ETag is the team's revision.
    With `wait`, a request for which there is nothing is answered as soon as there is, or after so many seconds.
    Somebody who left can follow to where they left: the last item is their own leaving. Of a team that was deleted, the
    last item is that.
    """
    with ended_by_its_client(request):
        return await service.page(
            request.app[DB],
            request.app[WAITING],
            request[ACTOR],
            team_id,
            admit=partial(authenticate, request),
            **request[QUERY],
        )


@endpoint(Ok(OwnChanges, etag="revision"), query=OwnChangesQuery, refuses=(TooManyTeams, TooManyWaiting))
async def mine(request: web.Request) -> dict[str, Any]:
    """Follow all your teams with one position: team by team, and in each what was written first, first.

    Without `after`, and in teams that are new to you, from the beginning. Teams that you left, or that were deleted,
    end with that. `wait` is as for one team; that you were added to a team is something as well.
    """
    with ended_by_its_client(request):
        return await service.mine(
            request.app[DB],
            request.app[WAITING],
            request[ACTOR],
            admit=partial(authenticate, request),
            **request[QUERY],
        )
