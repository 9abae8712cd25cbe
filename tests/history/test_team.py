"""GET /v1/teams/{team_id}/history."""

from tests.access import READ
from tests.history.test_expense import sentences

ACCESS = READ


async def test_it_tells_each_version_of_the_team_alone(flat):
    await flat.guest("Bob")
    await flat.owner.patch(flat.path, {"name": "House", "currency": "USD", "time_zone": "Europe/Paris"})
    await flat.owner.patch(flat.path, {"archived": True})
    await flat.owner.patch(flat.path, {"archived": False})
    assert await sentences(flat, "/history") == [
        "Ann restored the team",
        "Ann archived the team",
        (
            'Ann renamed the team from "Flat" to "House", changed the currency from EUR to USD and changed the time '
            "zone from UTC to Europe/Paris"
        ),
        'Ann created the team "Flat" with the currency EUR',
    ]
    items = (await flat.owner.get(f"{flat.path}/history")).body["items"]
    assert [each["version"] for each in items] == [4, 3, 2, 1]
    [archived] = items[1]["changes"]
    assert (archived["before"], archived["after"][-1]) == (None, "Z")
