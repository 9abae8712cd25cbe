"""Teams over HTTP."""

from collections.abc import Sequence

from aiohttp import web

from service.errors import Forbidden, NotDeleted, NotFound, OpenBalance, TeamArchived
from service.postgres.pool import Record
from service.teams import service
from service.teams.keys import DELETED_TEAMS_KEPT
from service.teams.schemas import NewTeam, Team, TeamChange, TeamsQuery
from service.web.answers import Created, NoContent, Ok, Page
from service.web.endpoint import endpoint
from service.web.keys import ACTOR, BODY, DB, QUERY, VERSIONS
from service.web.schemas import Removal


@endpoint(Created(Team, at="teams.get", etag="version.revision"), body=NewTeam)
async def create(request: web.Request) -> Record:
    """Create a team; you become its first owner."""
    return await service.create(request.app[DB], request[ACTOR], **request[BODY])


@endpoint(Page(Team, by="team_id"), query=TeamsQuery)
async def page(request: web.Request) -> Sequence[Record]:
    """List your teams, newest first: all, those that are or are not archived, or deleted ones that you can restore.

    An owner can restore a deleted team until its `purge_at`; to everybody else it does not exist. `all` has no such
    teams.
    """
    kept_seconds = request.app[DELETED_TEAMS_KEPT]
    return await service.page(request.app[DB], request[ACTOR], kept_seconds=kept_seconds, **request[QUERY])


@endpoint(Ok(Team, etag="version.revision"), refuses=(NotFound,))
async def get(request: web.Request, team_id: str) -> Record:
    """Return one of your teams."""
    return await service.get(request.app[DB], request[ACTOR], team_id)


@endpoint(
    Ok(Team, etag="version.revision"),
    body=TeamChange,
    if_match="optional",
    refuses=(NotFound, Forbidden, TeamArchived),
)
async def update(request: web.Request, team_id: str) -> Record:
    """Change a team; only owners and admins can.

    While it is archived, nothing in its ledger can be recorded, changed or deleted, nobody can be added, and its name,
    currency and time zone stay.
    """
    return await service.update(request.app[DB], request[ACTOR], team_id, versions=request[VERSIONS], **request[BODY])


@endpoint(NoContent(), query=Removal, if_match="optional", refuses=(NotFound, Forbidden, OpenBalance))
async def delete(request: web.Request, team_id: str) -> None:
    """Delete a team for all its members; only owners can.

    If a balance is not zero, this requires `keep_balance=true`. The team is no longer shown anywhere, except to its
    owners in the list with `status=deleted`: until its `purge_at` they can restore it, then nothing is left of it.
    """
    await service.delete(request.app[DB], request[ACTOR], team_id, versions=request[VERSIONS], **request[QUERY])


@endpoint(Ok(Team, etag="version.revision"), refuses=(NotFound, NotDeleted))
async def restore(request: web.Request, team_id: str) -> Record:
    """Restore a deleted team for all its members, as it was; only owners can, until its `purge_at`."""
    kept_seconds = request.app[DELETED_TEAMS_KEPT]
    return await service.restore(request.app[DB], request[ACTOR], team_id, kept_seconds=kept_seconds)
