"""Splits lose nothing and favour nobody, and currencies keep their decimals."""

import random
import re
import uuid
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.money import (
    amount_max,
    apportion,
    current,
    decimals,
    why_not,
    withdrawn,
    withdrawn_without_decimals,
)

settings.register_profile("money", deadline=None, database=None)
settings.load_profile("money")

amounts = st.integers(1, amount_max)
seeds = st.uuids().map(str)
weights = st.dictionaries(st.uuids().map(str), st.integers(0, 10**6), min_size=1, max_size=20).filter(
    lambda found: any(found.values())
)
equal_weights = st.lists(st.uuids().map(str), min_size=1, max_size=200, unique=True).map(
    lambda keys: dict.fromkeys(keys, 1)
)


@given(amounts, weights, seeds)
def test_shares_come_to_the_amount(amount, weights, seed):
    shares = apportion(amount, weights, seed)
    assert sum(shares.values()) == amount
    assert shares.keys() == weights.keys()
    assert all(type(share) is int for share in shares.values())


@given(amounts, weights, seeds)
def test_a_share_is_the_exact_one_rounded_down_or_up(amount, weights, seed):
    total = sum(weights.values())
    for key, share in apportion(amount, weights, seed).items():
        assert amount * weights[key] // total <= share <= -(-amount * weights[key] // total)


@given(amounts, equal_weights, seeds)
def test_equal_weights_get_shares_that_differ_by_one_at_most(amount, weights, seed):
    shares = apportion(amount, weights, seed).values()
    assert max(shares) - min(shares) <= 1


@given(amounts, weights, seeds)
def test_who_is_rounded_up_has_no_smaller_remainder_than_who_is_not(amount, weights, seed):
    total = sum(weights.values())
    shares = apportion(amount, weights, seed)
    remainders = {key: amount * weight % total for key, weight in weights.items()}
    up = [remainders[key] for key in weights if shares[key] > amount * weights[key] // total]
    down = [remainders[key] for key in weights if shares[key] == amount * weights[key] // total]
    assert not up or not down or min(up) >= max(down)


@given(amounts, weights, seeds, st.randoms(use_true_random=False))
def test_the_order_of_the_members_does_not_matter(amount, weights, seed, chance):
    shuffled = list(weights.items())
    chance.shuffle(shuffled)
    assert apportion(amount, dict(shuffled), seed) == apportion(amount, weights, seed)


@given(amounts, equal_weights)
def test_zero_weights_get_nothing(amount, weights):
    shares = apportion(amount, weights | {"nothing": 0}, "seed")
    assert shares.pop("nothing") == 0
    assert sum(shares.values()) == amount


def test_these_shares_never_change():
    # What was computed once is computed again at an edit: a change of the draw would move money.
    weights = dict.fromkeys(["a", "b", "c", "d"], 1)
    assert apportion(10, weights, "0190b5a4-0000-7000-8000-000000000000") == {"a": 2, "b": 3, "c": 3, "d": 2}
    assert apportion(100, {"a": 1, "b": 1, "c": 1}, "x") == {"a": 34, "b": 33, "c": 33}
    assert apportion(1, {"a": 1, "b": 2, "c": 3}, "x") == {"a": 0, "b": 0, "c": 1}


def test_nobody_is_favoured_over_many_expenses():
    chance = random.Random(3)  # noqa: S311 - A test that can be repeated.
    members = [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(3)]
    won = Counter()
    for _ in range(3000):
        shares = apportion(1, dict.fromkeys(members, 1), str(uuid.UUID(int=chance.getrandbits(128))))
        won.update(member for member, share in shares.items() if share)
    # A thousand each; six standard deviations are 155.
    assert all(abs(won[member] - 1000) < 155 for member in members), won


# What could be chosen on 2026-01-01, by decimals. Add what newer lists bring; what they leave out goes to
# `money.withdrawn`. Decimals never change: stored amounts are in them.
OFFERED = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW "
        "CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF "
        "IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK "
        "MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP "
        "SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG "
        "YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}


def test_currencies_are_those_that_have_a_minor_unit():
    assert {"EUR", "USD", "JPY", "KWD", "CHF", "CLF"} <= current.keys()
    assert not {"XAU", "XTS", "XXX", "eur", "", "EURO"} & current.keys()
    assert all(why_not(code, for_a_team=True) is None for code in current)


@pytest.mark.parametrize("places", OFFERED)
def test_what_could_ever_be_chosen_keeps_its_decimals(places):
    for code in OFFERED[places].split():
        assert decimals(code) == places, code
        assert why_not(code, for_a_team=False) is None, code


def test_every_currency_that_can_be_chosen_is_written_down_here():
    assert current.keys() <= set(" ".join(OFFERED.values()).split())


def test_what_was_withdrawn_says_since_when_and_is_not_in_use():
    assert not withdrawn.keys() & current.keys()
    assert withdrawn_without_decimals < withdrawn.keys()
    for code, left in withdrawn.items():
        assert re.fullmatch("[A-Z]{3}", code)
        assert "2000-01" <= left <= "2099-12"
        assert why_not(code, for_a_team=False) is None
        reason = why_not(code, for_a_team=True)
        assert (reason.code, left in reason.detail) == ("withdrawn", True)
    assert [decimals(code) for code in ("BGN", "HRK", "ANG", "BYR", "ITL")] == [2, 2, 2, 0, 0]


@given(st.text(max_size=5))
def test_an_unknown_currency_breaks_nothing_and_is_not_offered(code):
    if code not in current.keys() | withdrawn.keys():
        assert decimals(code) == 2
        assert [why_not(code, for_a_team=each).code for each in (True, False)] == ["invalid", "invalid"]
