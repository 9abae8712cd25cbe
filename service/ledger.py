"""What the ledger refuses: each with a type of its own, so that a program can act on it."""

from service.errors import Invalid, Refusal, SumTooLarge


class SharesMissAmount(Invalid):
    """The shares, or what the payers paid, do not come to the amount. `detail` says by how much."""


class PercentagesMissHundred(Invalid):
    """The percentages do not come to 100. `detail` says by how much."""


class ItemsMissAmount(Invalid):
    """The items, tax and tip less the discount do not come to the amount. `detail` says by how much."""


class NegativeShare(Invalid):
    """An adjustment makes a member's share negative, or the adjustments come to more than the amount."""


class NoWeight(Invalid):
    """All weights are zero, so nobody would owe anything."""


class NoParticipants(Invalid):
    """The list of participants is empty. Leave it out if everybody shares."""


class NotAMember(Invalid):
    """Somebody who is named is neither an active member of the team nor a former one with an open balance."""


class NamedTwice(Invalid):
    """A member is in a list twice."""


class UnknownCurrency(Invalid):
    """The currency is not in ISO 4217; or it no longer is, and was chosen for a team."""


# All refusals of what is to be recorded.
refused: tuple[type[Refusal], ...] = (
    SharesMissAmount,
    PercentagesMissHundred,
    ItemsMissAmount,
    NegativeShare,
    NoWeight,
    NoParticipants,
    NotAMember,
    NamedTwice,
    UnknownCurrency,
    SumTooLarge,
)


def not_a_member(pointer: str, member_id: str) -> Invalid:
    """Return the refusal of somebody who is named and cannot be; `pointer` is where."""
    detail = f"{member_id} is neither an active member nor a former one with an open balance."
    return NotAMember.at(pointer, "not_a_member", detail)
