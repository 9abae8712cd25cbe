"""What can be done with a team's members."""

from typing import Any

from service import access
from service.actor import Actor
from service.errors import AlreadyMember, Forbidden, Invalid, LastOwner, NotFound, OpenBalance, Refusal, TeamFull
from service.postgres.pool import Connectable, Record, Transaction, queries
from service.web.paging import Page, first_id, position
from service.web.paging import page as cut

members_max = 200


async def create(
    db: Connectable, actor: Actor, team_id: str, *, name: str = "", email: str = "", role: str = "member"
) -> Record:
    """Add a guest by name, or an account by e-mail address; owners and admins may, and only owners add owners.

    Raises AlreadyMember, TeamFull, and Invalid where no account has the address.
    """
    async with db.transaction(team_id) as transaction:
        locked = await access.lock(transaction, actor, team_id, access.managers)
        write: dict[str, Any] = {
            "team_id": team_id,
            "user_id": actor.user_id,
            "revision": locked["revision"],
            "members_max": members_max,
        }
        member: Record | None = (
            await queries.members.add_account(transaction, email=email, role=role, **write)
            if email
            else await queries.members.add_guest(transaction, name=name, **write)
        )
        if member is None:
            raise await _not_added(transaction, actor, team_id, email, role)
    return member


async def page(
    db: Connectable, actor: Actor, team_id: str, *, status: str, limit: int, after: str | None = None
) -> Page:
    """Return a team's members in the order in which they first joined."""
    _, after_id = position(after, first_id)
    rows = queries.members.page(
        db, team_id=team_id, user_id=actor.user_id, status=status, after_id=after_id, size=limit + 1
    )
    found = [row async for row in rows]
    if not found:
        await access.require(db, actor, team_id)
    return cut(found, limit, "member_id")


async def get(db: Connectable, actor: Actor, team_id: str, member_id: str) -> Record:
    """Return a member, active or former."""
    member: Record | None = await queries.members.get(db, team_id=team_id, user_id=actor.user_id, member_id=member_id)
    if member is None:
        raise NotFound("There is no such member, or you are not in the team.")
    return member


async def update(
    db: Connectable, actor: Actor, team_id: str, member_id: str, *, name: str | None = None, role: str | None = None
) -> Record:
    """Change an active member's name or role. Raises Forbidden, LastOwner, and Invalid for the role of a guest."""
    async with db.transaction(team_id) as transaction:
        locked = await access.lock(transaction, actor, team_id, access.everybody)
        member: Record | None = await queries.members.update(
            transaction,
            team_id=team_id,
            user_id=actor.user_id,
            revision=locked["revision"],
            member_id=member_id,
            name=name,
            role=role,
        )
        if member is None:
            raise await _not_changed(transaction, actor, team_id, member_id, role)
    return member


async def delete(db: Connectable, actor: Actor, team_id: str, member_id: str, *, keep_balance: bool) -> None:
    """Make an active member a former one. Raises Forbidden, LastOwner and OpenBalance."""
    async with db.transaction(team_id) as transaction:
        locked = await access.lock(transaction, actor, team_id, access.everybody)
        removed = await queries.members.delete(
            transaction,
            team_id=team_id,
            user_id=actor.user_id,
            revision=locked["revision"],
            member_id=member_id,
            keep_balance=keep_balance,
        )
        if removed is None:
            raise await _not_changed(transaction, actor, team_id, member_id, None)


async def _not_added(transaction: Transaction, actor: Actor, team_id: str, email: str, role: str) -> Refusal:
    """Return why nobody was added."""
    addable: Record = await queries.members.addable(transaction, team_id=team_id, email=email)
    standing = await access.require(transaction, actor, team_id)
    if role == "owner" and standing["role"] != "owner":
        return Forbidden("Only an owner can name owners.")
    if email and not addable["has_account"]:
        return Invalid.at("/email", "no_account", "No account has this address. It can be added as a guest by name.")
    if addable["in_team"]:
        return AlreadyMember()
    if addable["members"] >= members_max:
        return TeamFull(f"The team has {addable['members']} members, as many as a team can have.")
    return await access.refusal(transaction, actor, team_id, access.managers)


async def _not_changed(
    transaction: Transaction, actor: Actor, team_id: str, member_id: str, role: str | None
) -> Refusal:
    """Return why a member was neither changed nor removed."""
    found: Record | None = await queries.members.removable(
        transaction, team_id=team_id, user_id=actor.user_id, member_id=member_id
    )
    if found is None:
        return NotFound("There is no such active member in the team.")
    is_self = found["actor_id"] == member_id
    if found["actor_role"] not in access.managers and (role is not None or not is_self):
        return Forbidden(f"This takes the role owner or admin; you are {found['actor_role']} of this team.")
    if found["actor_role"] == "admin" and (role == "owner" or (found["role"] == "owner" and not is_self)):
        return Forbidden("Only an owner changes owners and names them.")
    if role is not None and found["role"] == "guest":
        return Invalid.at("/role", "guest", "A guest has no role.")
    if found["role"] == "owner" and found["owners"] == 1 and role != "owner":
        return LastOwner()
    return OpenBalance(balances=found["balances"])
