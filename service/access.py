"""Who may do what in a team, and what is said to who may not.

A viewer reads. A member records, and edits what they recorded. An admin edits everything and manages members. An owner
also deletes the team and names owners. A stranger is told that there is nothing here.

Every write of a team begins with the same lock, and the statement that follows decides. Its column `refusal` is null
where it wrote, and else names the rule that stands against it; here that name becomes a Refusal.
"""

from collections.abc import Callable

from service.actor import Actor
from service.errors import (
    AlreadyMember,
    Conflict,
    Forbidden,
    Invalid,
    LastOwner,
    NotFound,
    OpenBalance,
    PreconditionFailed,
    Refusal,
    TeamArchived,
    TeamFull,
)
from service.postgres.pool import Connectable, Record, Transaction, queries


async def lock(transaction: Transaction, actor: Actor, team_id: str) -> int:
    """Begin a write of a team and return its new revision. Raises NotFound for a stranger.

    All that is read after it in the transaction stays true until the commit.
    """
    revision: int | None = await queries.teams.lock(transaction, team_id=team_id, user_id=actor.user_id)
    if revision is None:
        raise _stranger()
    return revision


async def require(db: Connectable, actor: Actor, team_id: str) -> None:
    """Raise NotFound for a stranger: asked when a read found nothing."""
    if not await queries.teams.is_visible(db, team_id=team_id, user_id=actor.user_id):
        raise _stranger()


def granted(decided: Record | None) -> Record:
    """Return what a statement wrote, or raise the refusal that its verdict names. No row at all means a stranger."""
    if decided is None:
        raise _stranger()
    if decided["refusal"] is not None:
        raise verdicts[decided["refusal"]](decided)
    return decided


def _stranger() -> Refusal:
    return NotFound("There is no such team, or you are not in it.")


def _either(versions: list[int]) -> str:
    return " or ".join(f'"{each}"' for each in versions) or "no ETag of this API, which has its quotes"


def _takes(roles: str) -> Callable[[Record], Refusal]:
    return lambda decided: Forbidden(f"This takes the role {roles}; you are {decided['actor_role']} of this team.")


# What the verdicts of sql/ name, and the refusal for each; a test holds the two together.
verdicts: dict[str, Callable[[Record], Refusal]] = {
    "owners-only": _takes("owner"),
    "managers-only": _takes("owner or admin"),
    "recorders-only": _takes("owner, admin or member"),
    "managers-or-recorder-only": lambda _: Forbidden(
        "This takes the role owner or admin, or a member who recorded the expense."
    ),
    "owners-name-owners": lambda _: Forbidden("Only an owner can name owners."),
    "owners-change-owners": lambda _: Forbidden("Only an owner changes owners and names them."),
    "team-archived": lambda _: TeamArchived(),
    "no-account": lambda _: Invalid.at(
        "/email", "no_account", "No account has this address. It can be added as a guest by name."
    ),
    "guests-have-no-role": lambda _: Invalid.at("/role", "guest", "A guest has no role."),
    "already-member": lambda _: AlreadyMember(),
    "team-full": lambda decided: TeamFull(f"The team has {decided['members']} members, as many as a team can have."),
    "no-such-member": lambda _: NotFound("There is no such active member in the team."),
    "last-owner": lambda _: LastOwner(),
    "open-balance": lambda decided: OpenBalance(balances=decided["balances"]),
    "no-such-expense": lambda _: NotFound("There is no such expense."),
    "other-version": lambda decided: PreconditionFailed(
        f'If-Match has {_either(decided["sent_versions"])}; the current version is "{decided["version"]}".'
    ),
    "members-changed": lambda _: Conflict(
        "The team's members changed while this was recorded. Nothing was stored; send it again."
    ),
}
