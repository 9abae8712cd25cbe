"""Members over HTTP."""

from http import HTTPStatus

from aiohttp import web

from service.errors import AlreadyMember, Forbidden, LastOwner, NotFound, OpenBalance, TeamArchived, TeamFull
from service.members import service
from service.members.schemas import Member, MemberChange, MemberRemoval, Members, MembersQuery, NewMember
from service.web.endpoint import ACTOR, BODY, QUERY, endpoint, no_content, respond, respond_page
from service.web.keys import DB


@endpoint(
    body=NewMember,
    returns=Member,
    status=HTTPStatus.CREATED,
    refuses=(NotFound, Forbidden, AlreadyMember, TeamFull, TeamArchived),
    headers=("Location",),
)
async def create(request: web.Request) -> web.Response:
    """Add an account by `email`, or a guest by `name`, as one of the team's owners or admins.

    An account that had left comes back as the member it was.
    """
    team_id = request.match_info["team_id"]
    member = await service.create(request.app[DB], request[ACTOR], team_id, **request[BODY])
    location = f"/v1/teams/{team_id}/members/{member['member_id']}"
    return respond(request, member, status=HTTPStatus.CREATED, location=location)


@endpoint(query=MembersQuery, returns=Members, refuses=(NotFound,), headers=("Link",))
async def page(request: web.Request) -> web.Response:
    """List a team's members, in the order in which they came."""
    team_id = request.match_info["team_id"]
    return respond_page(request, await service.page(request.app[DB], request[ACTOR], team_id, **request[QUERY]))


@endpoint(returns=Member, refuses=(NotFound,))
async def get(request: web.Request) -> web.Response:
    """Return a member of a team, former ones too."""
    team_id, member_id = request.match_info["team_id"], request.match_info["member_id"]
    return respond(request, await service.get(request.app[DB], request[ACTOR], team_id, member_id))


@endpoint(body=MemberChange, returns=Member, refuses=(NotFound, Forbidden, LastOwner, TeamArchived))
async def update(request: web.Request) -> web.Response:
    """Change a member's name or role.

    Owners change everybody, admins everybody but owners, and everybody their own name. Only owners name owners.
    """
    team_id, member_id = request.match_info["team_id"], request.match_info["member_id"]
    member = await service.update(request.app[DB], request[ACTOR], team_id, member_id, **request[BODY])
    return respond(request, member)


@endpoint(
    query=MemberRemoval,
    returns=None,
    status=HTTPStatus.NO_CONTENT,
    refuses=(NotFound, Forbidden, LastOwner, OpenBalance, TeamArchived),
)
async def delete(request: web.Request) -> web.Response:
    """Remove a member, or leave.

    Owners remove everybody, admins everybody but owners, and everybody can leave. Who still has to give or to get
    something is not removed by accident: that takes `keep_balance=true`, and the balance stays to be settled.
    """
    team_id, member_id = request.match_info["team_id"], request.match_info["member_id"]
    await service.delete(request.app[DB], request[ACTOR], team_id, member_id, **request[QUERY])
    return no_content()
