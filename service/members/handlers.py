"""Members over HTTP."""

from aiohttp import web

from service.access import Listed
from service.errors import AlreadyMember, Forbidden, LastOwner, NotFound, OpenBalance, TeamArchived, TeamFull
from service.members import service
from service.members.schemas import Member, MemberChange, MembersQuery, NewMember
from service.postgres.pool import Record
from service.web.answers import Created, NoContent, Ok, Page
from service.web.endpoint import endpoint
from service.web.keys import ACTOR, BODY, DB, QUERY, VERSIONS
from service.web.schemas import Removal


@endpoint(
    Created(Member, at="members.get", etag="version"),
    body=NewMember,
    refuses=(NotFound, Forbidden, AlreadyMember, TeamFull, TeamArchived),
)
async def create(request: web.Request, team_id: str) -> Record:
    """Add an account by `email`, or a guest by `name`; only owners and admins can.

    Somebody who had left becomes the same member again: an account by its `email`, everybody by their `member_id`.
    """
    return await service.create(request.app[DB], request[ACTOR], team_id, **request[BODY])


@endpoint(Page(Member, by="member_id", etag="revision"), query=MembersQuery, refuses=(NotFound,))
async def page(request: web.Request, team_id: str) -> Listed:
    """List a team's members, in the order in which they were first added."""
    return await service.page(request.app[DB], request[ACTOR], team_id, **request[QUERY])


@endpoint(Ok(Member, etag="version"), refuses=(NotFound,))
async def get(request: web.Request, team_id: str, member_id: str) -> Record:
    """Return a member of a team, active or former."""
    return await service.get(request.app[DB], request[ACTOR], team_id, member_id)


@endpoint(
    Ok(Member, etag="version"),
    body=MemberChange,
    if_match="optional",
    refuses=(NotFound, Forbidden, LastOwner),
)
async def update(request: web.Request, team_id: str, member_id: str) -> Record:
    """Change a member's name or role.

    Owners can change everybody, admins everybody except owners, and everybody can change their own name. Only owners
    can make somebody an owner.
    """
    return await service.update(
        request.app[DB], request[ACTOR], team_id, member_id, versions=request[VERSIONS], **request[BODY]
    )


@endpoint(
    NoContent(),
    query=Removal,
    if_match="optional",
    refuses=(NotFound, Forbidden, LastOwner, OpenBalance),
)
async def delete(request: web.Request, team_id: str, member_id: str) -> None:
    """Remove a member, or leave the team.

    Owners can remove everybody, admins everybody except owners, and everybody can leave, also an archived team. If the
    member's balance is not zero, this requires `keep_balance=true`, and the balance stays open.
    """
    await service.delete(
        request.app[DB], request[ACTOR], team_id, member_id, versions=request[VERSIONS], **request[QUERY]
    )
