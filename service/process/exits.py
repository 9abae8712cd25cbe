"""What stops the start, or the service: one line that a person can act on, and an exit status that a script can.

* StartError, 1: anything else that is known
  + ConfigError, 2: a setting is wrong or unknown
    - SecretError, 3: a secret is missing, or is one that everybody knows
  + DatabaseUnreachable, 4
  + MigrationError, 5: migrations are missing, or failed
  + DatabaseTooOld, 6
  + DatabaseNotDurable, 7
  + EmbeddedError, 8: the embedded PostgreSQL cannot start, or has ended
  + CannotListen, 9
"""

from typing import ClassVar


class StartError(Exception):
    """Something that stops the start, or the service; the message is one line and never holds a secret's value."""

    status: ClassVar[int] = 1


class ConfigError(StartError):
    """A setting is not accepted, or is not one."""

    status = 2


class SecretError(ConfigError):
    """A secret is missing, or is a placeholder, or is known to everybody and this is production."""

    status = 3


class DatabaseUnreachable(StartError):  # noqa: N818 -- the name says what is so.
    """The database does not answer, or lets nobody in."""

    status = 4


class MigrationError(StartError):
    """What went wrong with the migrations."""

    status = 5


class DatabaseTooOld(StartError):  # noqa: N818 -- as above.
    """The database is older than the oldest that is supported."""

    status = 6


class DatabaseNotDurable(StartError):  # noqa: N818 -- as above.
    """The database would lose what it has confirmed when its machine fails."""

    status = 7


class EmbeddedError(StartError):
    """The embedded PostgreSQL cannot run."""

    status = 8


class CannotListen(StartError):  # noqa: N818 -- as above.
    """The address is taken, or is not one of this machine."""

    status = 9
