"""The position in the changes of all teams of an account: the revision up to which it has each.

No single number can be that: revisions are counted by team, and by the times of the writes, one that is committed late
would be skipped. So it is all of them, as bytes, in base64.
"""

import base64
from uuid import UUID

id_bytes = 16
# The first byte, for other forms to come.
form = b"\1"


def encoded(positions: dict[str, int]) -> str:
    """Return revisions by team as a text for a query."""
    content = bytearray(form)
    for team_id in sorted(positions):
        content += UUID(team_id).bytes
        number = positions[team_id]
        # Seven bits a byte, the lowest first; all but the last have the eighth.
        while number > 0x7F:  # noqa: PLR2004
            content.append(number & 0x7F | 0x80)
            number >>= 7
        content.append(number)
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decoded(text: str) -> dict[str, int]:
    """Return the revisions by team. Raises ValueError for a text that is not of `encoded`."""
    content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    positions = {}
    place = len(form)
    while place < len(content):
        team_id = str(UUID(bytes=content[place : place + id_bytes]))
        place += id_bytes
        number = shift = 0
        while place < len(content):
            byte = content[place]
            place += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        positions[team_id] = number
    # Whatever else was wrong with it does not come back.
    if encoded(positions) != text or max(positions.values(), default=0) >= 2**62:
        raise ValueError("not a position")
    return positions
