"""docs/guide.md: its examples are sent as they stand, and answered as they say."""

import json
import re
from pathlib import Path

import pytest

GUIDE = (Path(__file__).parent.parent / "docs/guide.md").read_text()
EXAMPLES = re.findall(r"```json\nPOST (/\w+) (\{.*?\})\n=> (\{.*?\})\n```", GUIDE, re.DOTALL)

# A method, a path, and the status and some of the body that it is answered with.
STEPS = [
    re.findall(r"^(\w+) (\S+) +=> (\d+)(?: (\{.*\}))?$", block, re.MULTILINE)
    for block in re.findall(r"```http\n(.*?)\n```", GUIDE, re.DOTALL)
]


def test_it_has_every_split_and_every_kind():
    text = "".join(body for _, body, _ in EXAMPLES)
    for word in ("exact", "percent", "shares", "adjustment", "itemised", "income"):
        assert f'"{word}"' in text
    assert len(EXAMPLES) == GUIDE.count("```json")


@pytest.mark.parametrize("example", EXAMPLES, ids=[json.loads(body).get("description") for _, body, _ in EXAMPLES])
async def test_an_example_is_answered_as_it_says(flat, example):
    path, body, expected = example
    ids = {"ann": flat.owner_id, "bob": await flat.guest("Bob"), "cleo": await flat.guest("Cleo")}
    for name, member_id in ids.items():
        body, expected = (text.replace(f'"{name}"', f'"{member_id}"') for text in (body, expected))
    expected = json.loads(expected)
    for query, status in (("?dry_run=true", 200), ("", 201)):
        answer = await flat.owner.post(f"{flat.path}{path}{query}", json.loads(body))
        assert answer.status == status, answer.body
        for name, value in expected.items():
            both = [answer.body[name], value]
            if name in {"payers", "participants"}:
                both = [sorted(each, key=lambda part: part["member_id"]) for each in both]
            assert both[0] == both[1]
    sent = await flat.owner.patch(answer.headers["Location"], answer.body, '"1"')
    assert sent.status == 200, sent.body


def shows(answered, expected):
    """Tell whether an answer has what is expected of it; `…` stands for any text."""
    if isinstance(expected, dict):
        return all(name in answered and shows(answered[name], value) for name, value in expected.items())
    if isinstance(expected, list):
        return len(answered) == len(expected) and all(map(shows, answered, expected))
    return isinstance(answered, str) if expected == "…" else answered == expected


@pytest.mark.parametrize("steps", STEPS, ids=lambda steps: steps[0][1])
async def test_steps_are_answered_as_they_say(flat, steps, subtests):
    assert len(steps) > 1
    await flat.guest("Bob")
    await flat.spend()
    for method, path, status, expected in steps:
        with subtests.test(f"{method} {path}"):
            answer = await flat.owner.call(method, path.format(team_id=flat.team_id))
            assert answer.status == int(status)
            assert shows(answer.body, json.loads(expected or "{}")), answer.body


def test_every_block_of_steps_is_read():
    lines = [line for block in re.findall(r"```http\n(.*?)\n```", GUIDE, re.DOTALL) for line in block.splitlines()]
    assert len(lines) == sum(map(len, STEPS)) > 0
