"""The use cases of a team's members."""

from collections.abc import Mapping
from typing import Any

from service import access
from service.actor import Actor
from service.errors import NotFound
from service.members import members_max
from service.postgres.pool import Connectable, Record
from service.postgres.queries import queries
from service.read_only import check_read_only


async def create(
    db: Connectable,
    actor: Actor,
    team_id: str,
    *,
    name: str | None = None,
    email: str | None = None,
    member_id: str | None = None,
    role: str | None = None,
) -> Record:
    """Add a guest by name, or an account by e-mail address, or take back a former member by id.

    Only owners and admins may, and only owners add owners. Raises AlreadyMember, TeamFull, NotFound if there is no such
    former member, and Invalid if no account has the address.
    """
    async with db.transaction(team_id) as transaction:
        revision = await access.lock(transaction, actor, team_id)
        return access.granted(
            await queries.members.create(
                transaction,
                team_id=team_id,
                user_id=actor.user_id,
                revision=revision,
                email=email,
                name=name,
                member_id=member_id,
                role=role,
                members_max=members_max,
            )
        )


async def page(
    db: Connectable, actor: Actor, team_id: str, *, status: str, limit: int, after: tuple[None, str]
) -> access.Listed:
    """Return a team's members after `after`, first added first: up to `limit`, and one more if there are more."""
    _, after_id = after
    rows = queries.members.page(
        db, team_id=team_id, user_id=actor.user_id, status=status, after_id=after_id, size=limit + 1
    )
    return await access.listed(rows, "member_id")


async def get(db: Connectable, actor: Actor, team_id: str, member_id: str) -> Record:
    """Return a member, active or former."""
    member: Record | None = await queries.members.get(db, team_id=team_id, user_id=actor.user_id, member_id=member_id)
    if member is None:
        raise NotFound("There is no such member, or you are not in the team.")
    return member


async def update(
    db: Connectable,
    actor: Actor,
    team_id: str,
    member_id: str,
    *,
    versions: list[int] | None = None,
    name: str | None = None,
    role: str | None = None,
    read_only: Mapping[str, Any] | None = None,
) -> Record:
    """Change an active member's name or role.

    Raises Forbidden, LastOwner, PreconditionFailed unless `versions` has the member's version or is None, and Invalid
    for the role of a guest, or a field in `read_only` that is not as it is stored.
    """
    async with db.transaction(team_id) as transaction:
        revision = await access.lock(transaction, actor, team_id)
        member = access.granted(
            await queries.members.update(
                transaction,
                team_id=team_id,
                user_id=actor.user_id,
                revision=revision,
                member_id=member_id,
                versions=versions,
                name=name,
                role=role,
            )
        )
        # What is refused here is undone with the transaction.
        check_read_only(read_only, dict(member) | {"version": member["current_version"]})
    return member


async def delete(
    db: Connectable,
    actor: Actor,
    team_id: str,
    member_id: str,
    *,
    keep_balance: bool,
    versions: list[int] | None = None,
) -> None:
    """Make an active member a former one. Raises Forbidden, LastOwner, OpenBalance, and PreconditionFailed."""
    async with db.transaction(team_id) as transaction:
        revision = await access.lock(transaction, actor, team_id)
        access.granted(
            await queries.members.delete(
                transaction,
                team_id=team_id,
                user_id=actor.user_id,
                revision=revision,
                member_id=member_id,
                versions=versions,
                keep_balance=keep_balance,
            )
        )
