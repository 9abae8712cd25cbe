"""The data directory of an instance without DATABASE_URL: the embedded PostgreSQL's data, and the signing secret."""

import os
import secrets
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from service.process.exits import EmbeddedError

_SECRET_LENGTH_MINIMUM = 32


class InUseError(EmbeddedError):
    """Another process uses the data directory."""


def default_root() -> Path:
    """Return the directory for this user's data, the default of EXPENSES_DATA_DIR."""
    if os.geteuid() == 0:
        return Path("/var/lib/expenses")
    try:
        home = Path.home()
    except RuntimeError:
        # A user without a home, as in many containers. If this is not writable either, the start reports that.
        return Path("/var/lib/expenses")
    if sys.platform == "darwin":
        return home / "Library/Application Support/expenses"
    data_home = Path(os.environ.get("XDG_DATA_HOME", ""))
    return (data_home if data_home.is_absolute() else home / ".local/share") / "expenses"


def kept_secret(root: Path) -> str:
    """Return the signing secret kept in `root`, generated at the first call; concurrent first calls get the same."""
    path = root / "jwt-secret"
    try:
        make(root)
        if not path.exists():
            # The link appears with its whole content or not at all, and never replaces that of another process.
            with tempfile.NamedTemporaryFile("w", dir=root) as complete, suppress(FileExistsError):
                complete.write(secrets.token_urlsafe(48))
                complete.flush()
                os.fsync(complete.fileno())
                path.hardlink_to(complete.name)
        secret = path.read_text().strip()
    except OSError as error:
        raise EmbeddedError(f"cannot store a signing secret ({error}): set EXPENSES_JWT_SECRET") from error
    if len(secret) < _SECRET_LENGTH_MINIMUM:
        raise EmbeddedError(f"{path} is too short for a secret: delete it, and a new one is generated")
    return secret


def make(root: Path) -> None:
    """Create the directory if it does not exist."""
    if not root.exists():
        root.mkdir(parents=True, exist_ok=True)
        # When we are root, PostgreSQL runs as another user, who must be able to enter.
        root.chmod(0o711 if os.geteuid() == 0 else 0o700)
