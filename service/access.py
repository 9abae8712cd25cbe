"""Who may do what in a team, and the refusals for everybody else.

A viewer only reads. A member also records expenses and edits those they recorded. An admin edits every expense and
manages members. An owner also deletes the team and appoints owners. An account that is not in the team is told that the
team does not exist.

Every write to a team first takes the same lock; then one statement decides and writes. Its column `refusal` is null if
it wrote, and otherwise names the rule against the write. This module turns that name into a Refusal.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from service.actor import Actor
from service.errors import (
    AlreadyMember,
    Conflict,
    ExternalIdTaken,
    Forbidden,
    Invalid,
    IsSettlement,
    LastOwner,
    NotFound,
    OpenBalance,
    PeriodClosed,
    PreconditionFailed,
    Refusal,
    TeamArchived,
    TeamFull,
)
from service.postgres.pool import Connectable, Record, Transaction
from service.postgres.queries import queries

# A page of records, and the team's `revision` that it is from.
Listed = tuple[Sequence[Record], dict[str, Any]]


async def lock(transaction: Transaction, actor: Actor, team_id: str) -> int:
    """Lock a team for a write and return its new revision. Raises NotFound for an account that is not in it.

    Whatever the transaction reads of the team afterwards stays true until the commit.
    """
    revision: int | None = await queries.teams.lock(transaction, team_id=team_id, user_id=actor.user_id)
    if revision is None:
        raise _stranger()
    return revision


async def require(db: Connectable, actor: Actor, team_id: str) -> None:
    """Raise NotFound unless the actor is in the team; called when a read found nothing."""
    if not await queries.teams.is_visible(db, team_id=team_id, user_id=actor.user_id):
        raise _stranger()


def found(record: Record | None) -> Record:
    """Return what a read of a team found. Raises NotFound if it is None: for an account that is not in the team."""
    if record is None:
        raise _stranger()
    return record


async def listed(rows: AsyncIterator[Record], id_name: str) -> Listed:
    """Return a page of a list of a team. Raises NotFound for an account that is not in the team.

    Each row has the team's revision; if the list has none, the statement returns one without an id.
    """
    all_rows = [row async for row in rows]
    beside = {"revision": found(all_rows[0] if all_rows else None)["revision"]}
    return (all_rows if all_rows[0][id_name] else []), beside


def granted(decided: Record | None) -> Record:
    """Return what a statement wrote, or raise the refusal it names. No row means that the actor is not in the team."""
    decided = found(decided)
    if decided["refusal"] is not None:
        raise verdicts[decided["refusal"]](decided)
    return decided


def outdated(versions: list[int], current_version: int) -> PreconditionFailed:
    """Return the refusal of a write that is meant for other versions than the current one."""
    sent = " or ".join(f'"{each}"' for each in versions) or "no ETag of this service"
    return PreconditionFailed(f'If-Match has {sent}; the current version is "{current_version}".')


def _stranger() -> Refusal:
    return NotFound("There is no such team, or you are not in it.")


def _taken(decided: Record) -> Refusal:
    kind = "settlements" if decided["taken_kind"] == "settlement" else "expenses"
    path = f"/v1/teams/{decided['team_id']}/{kind}/{decided['taken_id']}"
    return ExternalIdTaken(path, is_deleted=decided["taken_deleted_at"] is not None)


def _takes(roles: str) -> Callable[[Record], Refusal]:
    return lambda decided: Forbidden(f"This requires the role {roles}; your role here is {decided['actor_role']}.")


# The refusal for each rule that the statements in sql/ name; a test keeps the two in step.
verdicts: dict[str, Callable[[Record], Refusal]] = {
    "owners-only": _takes("owner"),
    "managers-only": _takes("owner or admin"),
    "recorders-only": _takes("owner, admin or member"),
    "managers-or-recorder-only": lambda _: Forbidden(
        "Only an owner, an admin or the member who recorded it can do this."
    ),
    "owners-name-owners": lambda _: Forbidden("Only an owner can make somebody an owner."),
    "owners-open": lambda _: Forbidden("Only an owner can open what is closed. You can close more."),
    "not-over": lambda decided: Invalid.at(
        "/closed_until", "out_of_range", f"This must be {decided['today']}, which is today for the team, or earlier."
    ),
    "period-closed": lambda decided: PeriodClosed(decided["closed_until"]),
    "owners-change-owners": lambda _: Forbidden("Only an owner can change an owner or make somebody one."),
    "team-archived": lambda _: TeamArchived(),
    "no-account": lambda _: Invalid.at(
        "/email", "no_account", "No account has this address. To add a guest instead, send a `name`."
    ),
    "guests-have-no-role": lambda _: Invalid.at("/role", "guest", "A guest has no role."),
    "accounts-are-no-guests": lambda _: Invalid.at(
        "/role", "invalid", "A member with an account is no guest. This must be one of: owner, admin, member, viewer."
    ),
    "already-member": lambda _: AlreadyMember(),
    "team-full": lambda decided: TeamFull(f"The team has {decided['members']} members, which is the maximum."),
    "no-such-former-member": lambda _: NotFound("The team has no such former member."),
    "no-such-member": lambda _: NotFound("The team has no such active member."),
    "last-owner": lambda _: LastOwner(),
    "open-balance": lambda decided: OpenBalance(balances=decided["balances"]),
    "no-such-expense": lambda _: NotFound("There is no such expense."),
    "is-settlement": lambda decided: IsSettlement(
        f"/v1/teams/{decided['team_id']}/settlements/{decided['expense_id']}"
    ),
    "no-such-settlement": lambda _: NotFound("There is no such settlement."),
    "other-version": lambda decided: outdated(decided["sent_versions"], decided["current_version"]),
    "external-id-taken": _taken,
    "members-changed": lambda _: Conflict(
        "The team's members changed meanwhile. Nothing was stored; send the request again."
    ),
}
