"""Every way in which the service refuses a request, as problem details (RFC 9457).

* Refusal
  - Malformed             400
  - Unauthenticated       401   + WWW-Authenticate
  - Forbidden             403
  - NotFound              404
  - MethodNotAllowed      405   + Allow
  - RequestTimeout        408
  - Conflict              409
      - EmailTaken
      - AlreadyMember
      - TeamFull
      - TeamArchived
      - LastOwner
      - OpenBalance             + balances: [{member_id, currency, net}]
      - ExternalIdTaken         + existing, existing_is_deleted
      - NotInPlan
      - PeriodClosed            + closed_until
      - NotDeleted
      - IsSettlement            + existing
      - TooManyTeams
  - PreconditionFailed    412
  - TooLarge              413
  - UnsupportedMediaType  415   + Accept
  - ExpectationFailed     417
  - Invalid               422   + errors: [{in, pointer, code, detail}]
      - those of service.ledger
  - SumTooLarge           422
  - PreconditionRequired  428
  - TooManyAttempts       429   + Retry-After
  - TooManyWaiting        429   + Retry-After
  - HeadersTooLarge       431
  - InternalError         500
  - Unavailable           503   + Retry-After

A class's docstring is its default `detail` and the text of `/problems/<slug>`.
"""

import datetime
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Literal, Self

type_prefix = "/problems/"


class Refusal(Exception):  # noqa: N818 -- a refusal is not an error of the service.
    """The request was refused."""

    status: ClassVar[HTTPStatus]

    def __init__(self, detail: str = "", *, headers: Mapping[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail or self.about())
        self.headers = dict(headers or {})
        self.members = members

    @classmethod
    def about(cls) -> str:
        """Return what the refusal means, on one line."""
        return " ".join((cls.__doc__ or "").split())

    @classmethod
    def slug(cls) -> str:
        """Return the name in the problem's type: `OpenBalance` is `open-balance`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", cls.__name__).lower()

    def problem(self, instance: str, public_url: str) -> dict[str, Any]:
        """Return the problem document; `instance` is the request id, and addresses are those below `public_url`."""
        existing = {"existing": public_url + self.members["existing"]} if "existing" in self.members else {}
        return {
            "type": public_url + type_prefix + self.slug(),
            "title": self.slug().replace("-", " ").capitalize(),
            "status": self.status.value,
            "detail": str(self),
            "instance": instance,
        } | (self.members | existing)


class Malformed(Refusal):
    """The request is not valid HTTP, or its body is incomplete or is not valid JSON or a valid form."""

    status = HTTPStatus.BAD_REQUEST


class Unauthenticated(Refusal):
    """Send a valid access token: `Authorization: Bearer <access_token>`."""

    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="expenses"'})


class Forbidden(Refusal):
    """Your role in the team does not allow this."""

    status = HTTPStatus.FORBIDDEN


class NotFound(Refusal):
    """The resource does not exist, or you are not allowed to see it."""

    status = HTTPStatus.NOT_FOUND


class MethodNotAllowed(Refusal):
    """The path does not support this method; the Allow header lists the methods that it supports."""

    status = HTTPStatus.METHOD_NOT_ALLOWED


class RequestTimeout(Refusal):
    """The request did not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT


class Conflict(Refusal):
    """The data changed while your request was processed. Nothing was stored; read it again and retry."""

    status = HTTPStatus.CONFLICT


class EmailTaken(Conflict):
    """An account with this e-mail address already exists. If it is yours, log in."""


class AlreadyMember(Conflict):
    """The account is already a member of the team."""


class TeamFull(Conflict):
    """The team already has the maximum number of members."""


class TeamArchived(Conflict):
    """The team is archived: nothing in its ledger can be recorded, changed or deleted, and nobody can be added.

    Its name, currency and time zone stay, too. To restore it, PATCH the team with `{"archived": false}`. Members can
    leave, and can be changed and removed.
    """


class LastOwner(Conflict):
    """A team must keep at least one owner. Make another member an owner first, or delete the team."""


class OpenBalance(Conflict):
    """There are balances that are not zero. Record settlements first, or do it anyway with `?keep_balance=true`."""


class ExternalIdTaken(Conflict):
    """An expense or a settlement of the team has this `external_id` already; `existing` is its address.

    If `existing_is_deleted`, it was deleted and keeps the id: send another one.
    """

    def __init__(self, path: str, *, is_deleted: bool) -> None:
        words = ", which was deleted and keeps it" if is_deleted else ""
        detail = f"This `external_id` belongs to {path}{words}."
        super().__init__(detail, existing=path, existing_is_deleted=is_deleted)


class NotInPlan(Conflict):
    """The settlement plan does not have this transfer. Read the plan again."""


class PeriodClosed(Conflict):
    """The team's books are closed until `closed_until`: nothing of that day or before is recorded, changed or deleted.

    An owner can open them: PATCH the team with an earlier `closed_until`, or null.
    """

    def __init__(self, closed_until: datetime.date) -> None:
        detail = f"The books are closed until {closed_until}: nothing of that day or before can be written."
        super().__init__(detail, closed_until=closed_until)


class IsSettlement(Conflict):
    """A settlement is changed and deleted at its own address, which is `existing`."""

    def __init__(self, path: str) -> None:
        super().__init__(f"This is a settlement. Change and delete it at {path}.", existing=path)


class TooManyTeams(Conflict):
    """You are or were in more teams than can be followed together. Follow each by its own `changes`."""


class NotDeleted(Conflict):
    """It is not deleted, so there is nothing to restore."""


class PreconditionFailed(Refusal):
    """The resource was changed after you read it: the version in If-Match is not the current one."""

    status = HTTPStatus.PRECONDITION_FAILED


class TooLarge(Refusal):
    """The body is larger than the service accepts."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedMediaType(Refusal):
    """The body must have the media type in the Accept header, and no Content-Encoding."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE

    def __init__(self, accepted: str) -> None:
        super().__init__(f"The body must be {accepted}, without a Content-Encoding.", headers={"Accept": accepted})


class ExpectationFailed(Refusal):
    """The only expectation that is supported is `Expect: 100-continue`."""

    status = HTTPStatus.EXPECTATION_FAILED


class Invalid(Refusal):
    """At least one value is not accepted; `errors` says which and why."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY

    @classmethod
    def at(cls, pointer: str, code: str, detail: str, place: Literal["body", "query", "header"] = "body") -> Self:
        """Return the refusal of one value; `pointer` is its JSON pointer (RFC 6901) within `place`."""
        return cls(detail, errors=[{"in": place, "pointer": pointer, "code": code, "detail": detail}])


class SumTooLarge(Refusal):
    """What a member paid or owes in a month would come to more than the service can keep. Nothing was stored."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class PreconditionRequired(Refusal):
    """Send If-Match with the ETag you read, to overwrite nobody else's change; `If-Match: *` overwrites any version."""

    status = HTTPStatus.PRECONDITION_REQUIRED


class TooManyAttempts(Refusal):
    """Too many failed log-ins. Wait before you try again."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(
            f"Too many failed log-ins. Try again in {retry_after_seconds} seconds.",
            headers={"Retry-After": str(retry_after_seconds)},
        )


class TooManyWaiting(Refusal):
    """Too many requests of this account wait for changes. Let one be answered before you send another with `wait`."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, waiting_max: int) -> None:
        super().__init__(
            f"{waiting_max} requests of this account wait already. Let one be answered first, or ask without `wait`.",
            headers={"Retry-After": "1"},
        )


class HeadersTooLarge(Refusal):
    """The address or the headers are larger than the service accepts."""

    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


class InternalError(Refusal):
    """Something went wrong in the service. To report it, quote `instance`: it identifies the request in the log."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR


# Why the service is unavailable, as the log and the metrics name it; docs/logs.md explains each.
Reason = Literal[
    "pool",
    "turn",
    "share",
    "connections",
    "statement",
    "unreachable",
    "starting",
    "read-only",
    "resources",
    "conflict",
    "logins",
    "waiting",
    "migration",
    "stopping",
]


class Unavailable(Refusal):
    """The service cannot answer right now. Try again, but before you repeat a write, check whether it was stored."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, detail: str = "", *, reason: Reason, retry_after_seconds: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})
        self.reason = reason


def refusals(parent: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    """Yield every kind of refusal, in the order of this module."""
    for child in parent.__subclasses__():
        yield child
        yield from refusals(child)
