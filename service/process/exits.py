"""The errors that end the process, each with a message of one line for people and an exit status for scripts.

* StartError, 1: any other known problem
  + ConfigError, 2: a setting is wrong or unknown
    - SecretError, 3: a secret is missing, or is a published one
  + DatabaseUnreachable, 4
    - DatabaseNotReady, 4: the same, but it may be on its way up
  + MigrationError, 5: migrations are missing, or failed
  + DatabaseTooOld, 6
  + DatabaseNotDurable, 7
  + EmbeddedError, 8: the embedded PostgreSQL cannot start, or has stopped
  + CannotListen, 9
  + DatabaseForbidden, 10: the tables are there, but closed to the role
"""

from typing import ClassVar


class StartError(Exception):
    """An error that ends the process; the message is one line and never contains a secret."""

    status: ClassVar[int] = 1


class ConfigError(StartError):
    """A setting's value is not accepted, or there is no such setting."""

    status = 2


class SecretError(ConfigError):
    """A secret is missing, is a placeholder or, in production, is a published one."""

    status = 3


class DatabaseUnreachable(StartError):  # noqa: N818 -- the name states the problem.
    """The database does not answer, or refuses the connection."""

    status = 4


class DatabaseNotReady(DatabaseUnreachable):
    """The database may be on its way up: it is not there yet, or says that it starts."""


class MigrationError(StartError):
    """Migrations are missing, or failed."""

    status = 5


class DatabaseTooOld(StartError):  # noqa: N818 -- as above.
    """The database's version is older than the oldest supported one."""

    status = 6


class DatabaseNotDurable(StartError):  # noqa: N818 -- as above.
    """The database would lose committed data if its machine failed."""

    status = 7


class EmbeddedError(StartError):
    """The embedded PostgreSQL cannot run."""

    status = 8


class CannotListen(StartError):  # noqa: N818 -- as above.
    """The address is in use, or does not belong to this machine."""

    status = 9


class DatabaseForbidden(StartError):  # noqa: N818 -- as above.
    """The service's tables are there, but the role may not read or write them."""

    status = 10
