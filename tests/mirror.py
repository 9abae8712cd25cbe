"""A client that keeps a copy of a team by following its changes from 0, and never reads anything else."""

from collections.abc import Callable
from typing import Any

ID = {"expense": "expense_id", "settlement": "settlement_id", "member": "member_id", "team": "team_id"}
# What differs by who reads it, or is only of a deleted team.
READER_S = ("member_id", "role", "balances", "deleted_at", "purge_at")


class Mirror:
    def __init__(self, get: Callable[[str], Any]) -> None:
        self.get = get
        self.revision = 0
        self.things: dict[tuple[str, str], Any] = {}

    def follow(self, limit: int = 50) -> None:
        """Read what is new, and apply it."""
        more = True
        while more:
            page = self.get(f"/changes?after={self.revision}&limit={limit}")
            for item in page["items"]:
                # The first one is the team and its owner.
                assert item["revision"] == self.revision + 1 or (item["revision"], self.revision) == (1, 1)
                self.revision = item["revision"]
                key = (item["subject"], item["subject_id"])
                if item["after"] is None:
                    del self.things[key]
                else:
                    assert item["after"][ID[item["subject"]]] == item["subject_id"]
                    self.things[key] = item["after"]
            more = page["more"]
        assert self.revision == page["revision"]

    def held(self) -> dict[tuple[str, str], Any]:
        """Return the copy."""
        team = {key: each | {"revision": self.revision} for key, each in self.things.items() if key[0] == "team"}
        return self.things | team

    def listed(self) -> dict[tuple[str, str], Any]:
        """Return what the API answers."""
        lists = {"expense": "/expenses", "settlement": "/settlements", "member": "/members?status=all"}
        found = {}
        for subject, path in lists.items():
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit=200")
            assert page["next"] is None
            found |= {(subject, each[ID[subject]]): each for each in page["items"]}
        team = {name: value for name, value in self.get("").items() if name not in READER_S}
        return found | {("team", team["team_id"]): team}
