"""Members over HTTP."""

from collections.abc import Sequence

from aiohttp import web

from service.errors import AlreadyMember, Forbidden, LastOwner, NotFound, OpenBalance, TeamArchived, TeamFull
from service.members import service
from service.members.schemas import Member, MemberChange, MemberRemoval, MembersQuery, NewMember
from service.postgres.pool import Record
from service.web.answers import Created, NoContent, Ok, Page
from service.web.endpoint import endpoint
from service.web.keys import ACTOR, BODY, DB, QUERY


@endpoint(
    Created(Member, at="members.get"),
    body=NewMember,
    refuses=(NotFound, Forbidden, AlreadyMember, TeamFull, TeamArchived),
)
async def create(request: web.Request, team_id: str) -> Record:
    """Add an account by `email`, or a guest by `name`, as one of the team's owners or admins.

    An account that had left comes back as the member it was.
    """
    return await service.create(request.app[DB], request[ACTOR], team_id, **request[BODY])


@endpoint(Page(Member, by="member_id"), query=MembersQuery, refuses=(NotFound,))
async def page(request: web.Request, team_id: str) -> Sequence[Record]:
    """List a team's members, in the order in which they came."""
    return await service.page(request.app[DB], request[ACTOR], team_id, **request[QUERY])


@endpoint(Ok(Member), refuses=(NotFound,))
async def get(request: web.Request, team_id: str, member_id: str) -> Record:
    """Return a member of a team, former ones too."""
    return await service.get(request.app[DB], request[ACTOR], team_id, member_id)


@endpoint(Ok(Member), body=MemberChange, refuses=(NotFound, Forbidden, LastOwner, TeamArchived))
async def update(request: web.Request, team_id: str, member_id: str) -> Record:
    """Change a member's name or role.

    Owners change everybody, admins everybody but owners, and everybody their own name. Only owners name owners.
    """
    return await service.update(request.app[DB], request[ACTOR], team_id, member_id, **request[BODY])


@endpoint(NoContent(), query=MemberRemoval, refuses=(NotFound, Forbidden, LastOwner, OpenBalance, TeamArchived))
async def delete(request: web.Request, team_id: str, member_id: str) -> None:
    """Remove a member, or leave.

    Owners remove everybody, admins everybody but owners, and everybody can leave. A member who still has something to
    give or to get is not removed by accident: that takes `keep_balance=true`, and the balance stays to be settled.
    """
    await service.delete(request.app[DB], request[ACTOR], team_id, member_id, **request[QUERY])
