"""Text is taken as it is seen: what shows nothing is dropped, unless it changes what is seen beside it."""

import unicodedata

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from service.web.text import Email, Text
from tests.conftest import PASSWORD


def flag(region):
    """Return the flag of a region, such as that of gbsct: a black flag with tags (UTS #51)."""
    return "\U0001f3f4" + "".join(chr(0xE0000 + ord(each)) for each in region) + "\U000e007f"


KEPT = [
    *map(flag, ["gbeng", "gbsct", "gbwls", "ustx"]),
    *["\u2764\ufe0f", "\u2764\ufe0e", "1\ufe0f\u20e3", "\U0001f1eb\U0001f1f7", "\U0001faea"],
    # A fireman of a darker skin, an eye in a bubble, the rainbow flag.
    *[
        "\U0001f468\U0001f3fe\u200d\U0001f692",
        "\U0001f441\ufe0f\u200d\U0001f5e8\ufe0f",
        "\U0001f3f3\ufe0f\u200d\U0001f308",
    ],
    # Persian, Hindi, Bengali with joiners; a Japanese name with its variant; a Mongolian letter with its own.
    *["\u0645\u06cc\u200c\u062e\u0648", "क्\u200dष", "क्\u200cष", "র\u200d্য", "葛\U000e0100城", "\u182a\u180b\u1820"],
    # A number in Arabic with its sign; a mark of direction where there are two.
    *["\u0600\u0661\u0662", "שלום\u200e, world", "\u0627\u061c\u0661"],
]
DROPPED = {
    **{f"{mark}Ann Lee{mark}": "Ann Lee" for mark in "\u200e\u200f\u061c\u00ad\u200b\u200c\u200d\u2060\ufeff\ufe0f"},
    **{f"Ann{mark} Lee": "Ann Lee" for mark in "\u200e\u200f\u00ad\u200b\u200c\u200d\u034f\u2060\ufeff\ufe00\u115f"},
    **{f"A{mark}": "A" for mark in "\ufe0f\u034f\U000e0100\U000e0041\u3164\u17b5\u180e\u206a\ufff9\u2065\U000e0fff"},
    " \u200e \ufeffAnn\u200f\t\u00a0": "Ann",
    "Б\ufe0f": "Б",
    "א\ufe0f": "א",
    "あ\u200d": "あ",
    "é\u034f\u0301": "é\u0301",
    "\U0001f355\ufe0f": "\U0001f355",
    "1\ufe0f": "1",
    "\U0001f3f4\U000e0067": "\U0001f3f4",
    # More tags than a region has hide something.
    "\U0001f3f4" + "\U000e0061" * 7 + "\U000e007f": "\U0001f3f4",
}
REFUSED = {
    **{f"A{control}b": control for control in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\0\x1b\x85\u2028"},
    **{f"{control}A": control for control in "\u202e\u2067"},
}


@pytest.mark.parametrize("text", [*KEPT, *DROPPED], ids=ascii)
async def test_every_text_is_kept_as_it_is_seen(ann, flat, db, text):
    seen = DROPPED.get(text, text)
    await ann.patch("/v1/me", {"name": text})
    await ann.patch(flat.path, {"name": text})
    await flat.guest(text)
    await flat.spend(description=text, category=text, notes=text)
    names = "select name from users union all select name from teams"
    assert [row["name"] for row in await db.fetch(names)] == [seen, seen]
    assert await db.fetchval("select name from members where role = 'guest'") == seen
    assert tuple(await db.fetchrow("select description, category, notes from expenses")) == (seen, seen, seen)
    for query in ({"q": text}, {"q": seen}, {"category": text}, {"category": seen}):
        answer = await ann.get(f"{flat.path}/expenses", params=query)
        assert [each["description"] for each in answer.body["items"]] == [seen], query


@pytest.mark.parametrize("text", REFUSED, ids=ascii)
async def test_what_makes_text_read_differently_is_refused_by_its_name(ann, db, text):
    answer = await ann.post("/v1/teams", {"name": text, "currency": "EUR"})
    [error] = answer.body["errors"]
    assert (answer.status, error["pointer"], error["code"]) == (422, "/name", "unprintable")
    control = REFUSED[text]
    assert f"U+{ord(control):04X}" in error["detail"]
    assert unicodedata.name(control, "").lower() in error["detail"]
    assert await db.fetchval("select count(*) from teams") == 0


async def test_lines_stay_in_notes(flat):
    assert (await flat.spend(notes="\n with wine\r\n\tand bread \n"))["notes"] == "with wine\r\n\tand bread"


# The same examples each time, so that no test fails by chance.
repeatable = settings(deadline=None, database=None, derandomize=True)

# Letters of scripts without joiners, with everything that shows nothing between them.
nothing = st.sampled_from(
    [each for each in map(chr, range(0x110000)) if regex.match(r"\p{Default_Ignorable_Code_Point}", each)]
)
latin = st.text(st.one_of(st.sampled_from("AbzÉжΩ漢あ한9"), nothing), max_size=30)
anything = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from([each for text in KEPT for each in text]),
        st.sampled_from("\u200c\u200d\u200e\u200f\u061c\ufe0f\U000e0100\u0301\u094d \u3000"),
    ),
    max_size=30,
)


def read(text, field=None):
    """Return what a field makes of a text, or None for one that it refuses."""
    try:
        return (field or Text(0, 200, lines=True)).deserialize(text)
    except ValidationError:
        return None


@repeatable
@given(anything)
def test_what_was_read_is_read_as_itself(text):
    if (once := read(text)) is not None:
        assert read(once) == once
        assert once == unicodedata.normalize("NFC", once.strip())


@repeatable
@given(latin)
def test_two_texts_that_look_the_same_are_the_same(text):
    found = read(text)
    if found is not None:
        assert regex.sub(r"[\ufe00-\ufe0f\U000e0100-\U000e01ef]", "", found) == regex.sub(
            r"\p{Default_Ignorable_Code_Point}", "", text
        )
        # An ideograph's variant looks different.
        assert not regex.search(r"(?<!\p{Han})\p{Default_Ignorable_Code_Point}", found)


@repeatable
@given(anything)
def test_a_password_is_taken_as_it_is_or_not_at_all(text):
    if (found := read(text, Text(0, 200, trim=False))) is not None:
        assert found == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize("pasted", ["{} ", " {}", "\ufeff{}", "{}\u200b", "\u200e{}\u200f\n", "\t{}\u00a0"], ids=ascii)
@pytest.mark.parametrize("email", ["ann@nas.home.arpa", "ann@printer.local", "ann@corp.test", "ann@example.com"])
async def test_an_address_is_taken_as_it_is_pasted_everywhere(served, db, pasted, email):
    sent = pasted.format(email)
    account = {"email": sent, "password": PASSWORD}
    ann = await served.person("Ann", sent)
    assert await db.fetchval("select email from users") == email
    for path, form in (("/v1/auth/login", {"json": account}), ("/v1/auth/token", {"data": token_form(sent)})):
        answer = await served.call("POST", path, **form)
        assert (answer.status, answer.body["user"]["user_id"]) == (200, ann.user_id)
    bob = await served.person("Bob")
    flat = await bob.team()
    answer = await bob.post(f"{flat.path}/members", {"email": sent})
    assert (answer.status, answer.body["user_id"]) == (201, ann.user_id)
    answer = await ann.patch("/v1/me", {"email": sent.replace("ann", "anna"), "current_password": PASSWORD})
    assert (answer.status, answer.body["email"]) == (200, email.replace("ann", "anna"))


def token_form(email):
    return {"grant_type": "password", "username": email, "password": PASSWORD}


@repeatable
@given(anything)
def test_an_address_has_one_normal_form(text):
    for address in (text, f"{text}@example.com", f"ann@{text}.com", f"{text}ann@example.com{text}"):
        if (once := read(address, Email())) is not None:
            assert once.isascii()
            assert read(once, Email()) == once
