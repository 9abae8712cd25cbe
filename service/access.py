"""Who may do what in a team.

A viewer reads. A member records, and edits what they recorded. An admin edits everything and manages members. An owner
also deletes the team and names owners. A stranger is told that there is nothing here.
"""

from typing import Literal

from service.actor import Actor
from service.errors import Conflict, Forbidden, NotFound, Refusal, TeamArchived
from service.postgres.pool import Connectable, Record, Transaction, queries

Role = Literal["owner", "admin", "member", "viewer"]

everybody: tuple[Role, ...] = ("owner", "admin", "member", "viewer")
recorders: tuple[Role, ...] = ("owner", "admin", "member")
managers: tuple[Role, ...] = ("owner", "admin")
owners: tuple[Role, ...] = ("owner",)


async def lock(transaction: Transaction, actor: Actor, team_id: str, roles: tuple[Role, ...]) -> Record:
    """Begin a write of a team and return its new `revision`, the actor's `member_id` and `role`.

    All that is read after it in the transaction stays true until the commit. Raises what `refusal` returns.
    """
    locked: Record | None = await queries.teams.lock(transaction, team_id=team_id, user_id=actor.user_id, roles=roles)
    if locked is None:
        raise await refusal(transaction, actor, team_id, roles)
    return locked


async def require(db: Connectable, actor: Actor, team_id: str) -> Record:
    """Return how the actor stands in a team: `member_id`, `role`, `archived`. Raises NotFound for a stranger."""
    standing: Record | None = await queries.teams.standing(db, team_id=team_id, user_id=actor.user_id)
    if standing is None:
        raise NotFound("There is no such team, or you are not in it.")
    return standing


async def refusal(db: Connectable, actor: Actor, team_id: str, roles: tuple[Role, ...]) -> Refusal:
    """Return why a statement that asked for one of the roles found nothing. Raises NotFound for a stranger."""
    standing = await require(db, actor, team_id)
    if standing["role"] not in roles:
        return Forbidden(f"This takes the role {_either(roles)}; you are {standing['role']} of this team.")
    if standing["archived"]:
        return TeamArchived()
    return Conflict()


def _either(roles: tuple[Role, ...]) -> str:
    return ", ".join(roles[:-1]) + " or " + roles[-1] if len(roles) > 1 else roles[0]
