"""Teams over HTTP."""

from http import HTTPStatus

from aiohttp import web

from service.errors import Forbidden, NotFound, TeamArchived
from service.teams import service
from service.teams.schemas import NewTeam, Team, TeamChange, Teams, TeamsQuery
from service.web.endpoint import ACTOR, BODY, QUERY, endpoint, no_content, respond, respond_page
from service.web.keys import DB


@endpoint(body=NewTeam, returns=Team, status=HTTPStatus.CREATED, headers=("Location",))
async def create(request: web.Request) -> web.Response:
    """Make a team; you are its first owner."""
    team = await service.create(request.app[DB], request[ACTOR], **request[BODY])
    return respond(request, team, status=HTTPStatus.CREATED, location=f"/v1/teams/{team['team_id']}")


@endpoint(query=TeamsQuery, returns=Teams, headers=("Link",))
async def page(request: web.Request) -> web.Response:
    """List your teams, newest first."""
    return respond_page(request, await service.page(request.app[DB], request[ACTOR], **request[QUERY]))


@endpoint(returns=Team, refuses=(NotFound,))
async def get(request: web.Request) -> web.Response:
    """Return a team of yours."""
    return respond(request, await service.get(request.app[DB], request[ACTOR], request.match_info["team_id"]))


@endpoint(body=TeamChange, returns=Team, refuses=(NotFound, Forbidden, TeamArchived))
async def update(request: web.Request) -> web.Response:
    """Change a team, as one of its owners or admins."""
    team = await service.update(request.app[DB], request[ACTOR], request.match_info["team_id"], **request[BODY])
    return respond(request, team)


@endpoint(returns=None, status=HTTPStatus.NO_CONTENT, refuses=(NotFound, Forbidden))
async def delete(request: web.Request) -> web.Response:
    """Delete a team for all its members, as one of its owners.

    Nothing of it is shown any more; its rows are kept.
    """
    await service.delete(request.app[DB], request[ACTOR], request.match_info["team_id"])
    return no_content()
