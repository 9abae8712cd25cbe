"""Everything the service may refuse to do, as problem details (RFC 9457).

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
      - OpenBalance             + balances: [{currency, net}]
  - PreconditionFailed    412
  - TooLarge              413
  - UnsupportedMediaType  415   + Accept
  - Invalid               422   + errors: [{in, pointer, code, detail}]
  - PreconditionRequired  428
  - TooManyAttempts       429   + Retry-After
  - InternalError         500
  - Unavailable           503   + Retry-After

A class's docstring is its default detail, and what `/problems/<slug>` says.
"""

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Literal

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
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", cls.__name__).lower()

    def problem(self, instance: str) -> dict[str, Any]:
        """Return the problem document; `instance` is the request id."""
        return {
            "type": type_prefix + self.slug(),
            "title": self.slug().replace("-", " ").capitalize(),
            "status": self.status.value,
            "detail": str(self),
            "instance": instance,
        } | self.members


class Malformed(Refusal):
    """The body is not JSON."""

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
    """There is no such thing, or you may not see it."""

    status = HTTPStatus.NOT_FOUND


class MethodNotAllowed(Refusal):
    """There is something here, but it does not take this method."""

    status = HTTPStatus.METHOD_NOT_ALLOWED


class RequestTimeout(Refusal):
    """The body did not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT


class Conflict(Refusal):
    """What you want to change is no longer as you saw it. Nothing was changed; read it again."""

    status = HTTPStatus.CONFLICT


class EmailTaken(Conflict):
    """An account with this e-mail address exists. If it is yours, log in instead: POST /v1/auth/login."""


class AlreadyMember(Conflict):
    """The account is a member of the team."""


class TeamFull(Conflict):
    """The team has as many members as a team can have."""


class TeamArchived(Conflict):
    """The team is archived: it can be read, and taken back with `{"archived": false}`."""


class LastOwner(Conflict):
    """A team keeps at least one owner. Name another owner first, or delete the team."""


class OpenBalance(Conflict):
    """The member's balance is not zero: settle it first, or send `?keep_balance=true` to keep it open.

    To settle, record what is paid back as an expense: `payer` is who gives, `participants` only who receives.
    """


class PreconditionFailed(Refusal):
    """It was changed since you read it: the version in If-Match is not the current one."""

    status = HTTPStatus.PRECONDITION_FAILED


class TooLarge(Refusal):
    """The body is larger than the service takes."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedMediaType(Refusal):
    """The body must be of the media type in Accept, without a Content-Encoding."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE

    def __init__(self, accepted: str) -> None:
        super().__init__(f"The body must be {accepted}, without a Content-Encoding.", headers={"Accept": accepted})


class Invalid(Refusal):
    """A value is outside of what the service takes; `errors` says which and why."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY

    @classmethod
    def at(cls, pointer: str, code: str, detail: str, place: Literal["body", "query", "header"] = "body") -> "Invalid":
        """Return the refusal of one value; `pointer` is a JSON pointer (RFC 6901) into its place."""
        return cls(detail, errors=[{"in": place, "pointer": pointer, "code": code, "detail": detail}])


class PreconditionRequired(Refusal):
    """Send If-Match with the ETag that you read, so that nobody's change is lost; `If-Match: *` overrides."""

    status = HTTPStatus.PRECONDITION_REQUIRED


class TooManyAttempts(Refusal):
    """Too many log-ins failed. Wait before you try again."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(
            f"Too many log-ins failed. Try again in {retry_after_seconds} seconds.",
            headers={"Retry-After": str(retry_after_seconds)},
        )


class InternalError(Refusal):
    """Something went wrong in the service. The instance names the request in its log."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR


class Unavailable(Refusal):
    """The service cannot answer just now. Try again; a write may have been recorded all the same, so look first."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, detail: str = "", *, retry_after_seconds: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})


def refusals(parent: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    """Yield every kind of refusal, in the order of this module."""
    for child in parent.__subclasses__():
        yield child
        yield from refusals(child)
