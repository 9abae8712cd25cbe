"""The paths of the data folders: SQL queries and migrations."""

from pathlib import Path


def folder(name: str) -> Path:
    """Return a data folder: inside the package if it is installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    return package / name if (package / name).is_dir() else package.parent / name
