"""What accounts and sessions look like."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, pre_load

from service.web import examples
from service.web.fields import Choice
from service.web.schemas import Input, Output
from service.web.text import Email, Text

password_length_min = 12
password_length_max = 256


class Password(Text):
    """A password, not normalised; one that is only checked may be shorter than a new one."""

    def __init__(self, minimum: int = password_length_min, **kwargs: Any) -> None:
        super().__init__(minimum, password_length_max, trim=False, **kwargs)


class Registration(Input):
    """A new account."""

    example = {"email": "ada@example.com", "password": "correct horse battery", "name": "Ada"}

    email = Email(required=True)
    password = Password(required=True)
    name = Text(1, 100, required=True, metadata={"description": "The name that others see."})


class Login(Input):
    """An account's address and password."""

    example = {"email": "ada@example.com", "password": "correct horse battery"}

    email = Email(required=True)
    password = Password(1, required=True)


class Refresh(Input):
    """The refresh token of the last answer."""

    example = {"refresh_token": "the refresh_token of your last answer"}

    refresh_token = Text(1, 200, required=True)


class TokenRequest(Input):
    """What an OAuth 2 client sends to log in or to refresh (RFC 6749 §4.3, §6)."""

    example = {"grant_type": "password", "username": "ada@example.com", "password": "correct horse battery"}

    grant_type = Choice("password", "refresh_token", required=True)
    username = Email()
    password = Password(1)
    refresh_token = Text(1, 200)
    scope = Text(0, 200, metadata={"description": "Not used."})
    client_id = Text(0, 200, metadata={"description": "Not used."})
    client_secret = Text(0, 200, metadata={"description": "Not used."})

    @pre_load
    def drop_empty(self, data: Mapping[str, str], **_: Any) -> dict[str, str]:
        """Treat a parameter without a value as not sent (RFC 6749 §3.2)."""
        return {name: value for name, value in data.items() if value}


class User(Output):
    """An account."""

    example = {
        "user_id": examples.user_id,
        "email": "ann@example.com",
        "name": "Ann",
        "version": 1,
        "created_at": examples.created_at,
    }

    user_id = fields.UUID(required=True)
    email = fields.String(required=True, metadata={"format": "email"})
    name = fields.String(required=True)
    version = fields.Integer(required=True)
    created_at = fields.DateTime(required=True)


class Session(Output):
    """An account with its tokens."""

    example = {
        "user": User.example,
        "access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI…",
        "token_type": "Bearer",
        "expires_in": 900,
        "refresh_token": "kV0uYq8k3n…",
    }

    user = fields.Nested(User, required=True)
    access_token = fields.String(required=True, metadata={"description": "Send it as `Authorization: Bearer …`."})
    token_type = fields.String(required=True, metadata={"enum": ["Bearer"]})
    expires_in = fields.Integer(required=True, metadata={"description": "Seconds until the access token expires."})
    refresh_token = fields.String(required=True, metadata={"description": "It works once."})
