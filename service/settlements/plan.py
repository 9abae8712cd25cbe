"""Plans who transfers how much to whom, so that everybody's net becomes zero in few transfers.

The fewest transfers are as many as there are members to settle, less the most groups into which they can be divided
such that the nets of each group sum to zero. Which transfers these are is a matter of order, see `plan`.
"""

import asyncio
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from operator import or_
from typing import NamedTuple

# The most non-zero balances of a currency for which a plan is the fewest transfers possible. 16 take 2 ms, and 20 ms in
# the worst shapes that were found; every further one about doubles that.
exact_max = 16
# The most non-zero balances, of all currencies together, that are planned on the event loop: 2 ms at worst.
on_loop_max = 12

# Plans compute without a pause, and every thread that does keeps the loop waiting for the interpreter, 5 ms at a time.
executor = ThreadPoolExecutor(1, thread_name_prefix="plan")

# Member ids to minor units, always positive, in the order of the ids.
Amounts = dict[str, int]
# How many members owe and receive each of the different amounts, in so many bits per amount. Members of equal amounts
# need not be told apart, which would take far longer when there are many. The highest bit of each amount is spare.
Part = int
part_bits = exact_max.bit_length() + 1


class Transfer(NamedTuple):
    """A debtor's payment to a creditor: two member ids, and a positive amount in minor units."""

    from_id: str
    to_id: str
    amount: int


class Plan(NamedTuple):
    """The transfers that settle everybody in one currency, and whether it is certain that no fewer would do."""

    transfers: list[Transfer]
    is_fewest: bool


async def planned(nets_by_currency: Mapping[str, Mapping[str, int]]) -> dict[str, Plan]:
    """Return the `plan` of each currency, and keep the event loop free meanwhile.

    Raises ValueError if the nets of a currency do not sum to zero.
    """
    to_settle = sum(net != 0 for nets in nets_by_currency.values() for net in nets.values())
    if to_settle <= on_loop_max:
        return _plans(nets_by_currency)
    return await asyncio.get_running_loop().run_in_executor(executor, _plans, nets_by_currency)


def plan(nets: Mapping[str, int]) -> Plan:
    """Return the transfers that settle the nets of one currency: member ids to minor units, positive to receive.

    Only who owes transfers, and only to who receives; there are always fewer transfers than non-zero nets. The order of
    the mapping does not matter. Raises ValueError if the nets do not sum to zero.

    Up to `exact_max` non-zero nets these are the fewest possible transfers, in the order of the ids. Carrying out any
    of them leaves the others as they are: the plan of what then remains is the same list without it.

    Beyond that, the next transfer is between two who owe and receive the same, otherwise from who owes most to who
    receives most, with ties going to the least id; when `exact_max` are left, the fewest for them follow. That is not
    always the fewest, and only the first transfer leaves the others as they are. To carry out another one before it may
    change them.
    """
    if total := sum(nets.values()):
        raise ValueError(f"nets sum to {total}, not to 0")
    debts = {member_id: -net for member_id, net in sorted(nets.items()) if net < 0}
    claims = {member_id: net for member_id, net in sorted(nets.items()) if net > 0}
    reducing = []
    while len(debts) + len(claims) > exact_max:
        reducing.append(_carried_out(*_matching_or_largest(debts, claims), debts, claims))
    return Plan(reducing + _fewest(debts, claims), is_fewest=not reducing)


def _plans(nets_by_currency: Mapping[str, Mapping[str, int]]) -> dict[str, Plan]:
    return {currency: plan(nets) for currency, nets in nets_by_currency.items()}


def _carried_out(from_id: str, to_id: str, debts: Amounts, claims: Amounts) -> Transfer:
    """Transfer as much as both can, which settles at least one of the two; whoever is settled is removed."""
    amount = min(debts[from_id], claims[to_id])
    for amounts, member_id in ((debts, from_id), (claims, to_id)):
        amounts[member_id] -= amount
        if not amounts[member_id]:
            del amounts[member_id]
    return Transfer(from_id, to_id, amount)


def _matching_or_largest(debts: Amounts, claims: Amounts) -> tuple[str, str]:
    claimants = {amount: member_id for member_id, amount in reversed(claims.items())}
    for debtor, amount in debts.items():
        if amount in claimants:
            return debtor, claimants[amount]
    # Of equals, max() returns the first, so the one with the least id.
    return max(debts, key=debts.__getitem__), max(claims, key=claims.__getitem__)


def _fewest(debts: Amounts, claims: Amounts) -> list[Transfer]:
    """Return the least of all sets of the fewest transfers, by (from_id, to_id); takes everything from both mappings.

    Compare two sets at the first pair (from_id, to_id) at which they differ: the lesser has the larger amount there.

    That makes it stable. Whatever settles the rest after a transfer of a least set in the fewest transfers settles,
    together with that transfer, the whole in the fewest: the rest needs exactly one less, and never has the same pair
    again, as the two would merge and the whole need fewer. To add the same transfer to two sets does not change which
    is the lesser. So the least set for the rest is the rest of the least set.

    It also shows how to find it: choose the first pair that any set of the fewest has, which is one of the first
    debtor's, then do the same for the rest. That pair transfers all it can, because some set of the fewest does so:
    within a group that cannot be divided, its members can settle in any order in one transfer less than they are.
    """
    transfers = []
    while debts:
        partners = _partners(Counter(debts.values()), Counter(claims.values()))
        to_id = next(member_id for member_id, amount in claims.items() if amount in partners)
        transfers.append(_carried_out(next(iter(debts)), to_id, debts, claims))
    return transfers


def _partners(debts: Counter[int], claims: Counter[int]) -> set[int]:
    """Return the claims that are in a group with the first debt, in any division of all into the most groups."""
    # One part holds another if these bits are still there when the other is taken away.
    spare = sum(1 << part_bits * (index + 1) - 1 for index in range(len(debts) + len(claims)))
    balanced = _balanced(debts, claims)
    everybody = balanced[-1][1]
    groups = _indivisible(balanced, spare)
    by_first: defaultdict[int, list[Part]] = defaultdict(list)
    for group in groups:
        by_first[_first(group)].append(group)
    # Into how many groups a balanced part can be divided at most.
    most = {0: 0} | dict.fromkeys(groups, 1)

    def count(whole: Part) -> int:
        if whole not in most:
            most[whole] = 1 + max(
                count(whole - group) for group in by_first[_first(whole)] if ((whole | spare) - group) & spare == spare
            )
        return most[whole]

    counts = {group: count(everybody - group) for group in by_first[0]}
    best = max(counts.values())
    partners = reduce(or_, (group for group in counts if counts[group] == best))
    any_of = (1 << part_bits) - 1
    return {amount for index, amount in enumerate(claims, len(debts)) if partners >> part_bits * index & any_of}


def _balanced(debts: Counter[int], claims: Counter[int]) -> list[tuple[int, Part]]:
    """Return the parts that owe what they receive, in the order of how much: first nobody, and last everybody."""
    debtors: defaultdict[int, list[Part]] = defaultdict(list)
    for total, part in _parts(debts, 0):
        debtors[total].append(part)
    creditors = _parts(claims, len(debts))
    return sorted((total, part | others) for total, part in creditors for others in debtors.get(total, ()))


def _indivisible(balanced: list[tuple[int, Part]], spare: Part) -> list[Part]:
    """Return the parts that hold no other balanced part, except for nobody."""
    groups: list[Part] = []
    totals: list[int] = []
    for total, whole in balanced[1:]:
        # If a part can be divided in two, at most half as much is owed in one of them.
        smaller = groups[: bisect_right(totals, total // 2)]
        if not any(((whole | spare) - group) & spare == spare for group in smaller):
            groups.append(whole)
            totals.append(total)
    return groups


def _parts(counts: Counter[int], index: int) -> Iterable[tuple[int, Part]]:
    """Return every choice of so many members of each amount, with its sum; the first amount is the part's index-th."""
    totals, parts = [0], [0]
    for place, (amount, count) in enumerate(counts.items(), start=index):
        unit = 1 << part_bits * place
        totals = [total + chosen * amount for chosen in range(count + 1) for total in totals]
        parts = [part + chosen * unit for chosen in range(count + 1) for part in parts]
    return zip(totals, parts, strict=True)


def _first(part: Part) -> int:
    """Return the index of the first amount of which there are any."""
    return ((part & -part).bit_length() - 1) // part_bits
