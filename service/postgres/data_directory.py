"""The directory that belongs to one instance without DATABASE_URL: the embedded PostgreSQL's data, and the secret."""

import os
import secrets
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from service.process.exits import EmbeddedError

_SECRET_LENGTH_MINIMUM = 32


class InUseError(EmbeddedError):
    """Another process has the data directory."""


def default_root() -> Path:
    """Return the directory for this user's data where EXPENSES_DATA_DIR names none."""
    if os.geteuid() == 0:
        return Path("/var/lib/expenses")
    try:
        home = Path.home()
    except RuntimeError:
        # A user without a home, as in many containers; where this cannot be written either, the start says so.
        return Path("/var/lib/expenses")
    if sys.platform == "darwin":
        return home / "Library/Application Support/expenses"
    data_home = Path(os.environ.get("XDG_DATA_HOME", ""))
    return (data_home if data_home.is_absolute() else home / ".local/share") / "expenses"


def kept_secret(root: Path) -> str:
    """Return the signing secret kept in `root`, made at the first call; processes that call at once get the same."""
    path = root / "jwt-secret"
    try:
        make(root)
        if not path.exists():
            # The link appears with its whole content or not at all, and never replaces another's.
            with tempfile.NamedTemporaryFile("w", dir=root) as complete, suppress(FileExistsError):
                complete.write(secrets.token_urlsafe(48))
                complete.flush()
                os.fsync(complete.fileno())
                path.hardlink_to(complete.name)
        secret = path.read_text().strip()
    except OSError as error:
        raise EmbeddedError(f"cannot keep a signing secret ({error}): set EXPENSES_JWT_SECRET") from error
    if len(secret) < _SECRET_LENGTH_MINIMUM:
        raise EmbeddedError(f"{path} is too short for a secret: remove it and a new one is made")
    return secret


def make(root: Path) -> None:
    """Make the directory where it is not there yet."""
    if not root.exists():
        root.mkdir(parents=True, exist_ok=True)
        # Root's PostgreSQL runs as another user, who must get through.
        root.chmod(0o711 if os.geteuid() == 0 else 0o700)
