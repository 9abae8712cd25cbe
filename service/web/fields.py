"""The field types of the API. They are strict, and every error has a code and names the limit.

Each is a marshmallow field whose limits also appear in the OpenAPI document. Nothing is converted: `1.0`, `true` and
`"1"` are not amounts.
"""

import datetime
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Self

from marshmallow import ValidationError, fields

from service.money import amount_max, why_not
from service.weights import decimals_max, decimals_of

spent_on_min = datetime.date(2000, 1, 1)
limit_default = 50
limit_max = 200
currency_code = re.compile(r"[A-Z]{3}", re.ASCII)
identifier = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class Reason(str):
    """An error message with its machine-readable code."""

    __slots__ = ("code",)
    code: str

    def __new__(cls, message: str, code: str = "") -> Self:
        """Return the message with the code."""
        reason = super().__new__(cls, message)
        reason.code = code
        return reason


class Strict(fields.Field[Any]):
    """A field whose error messages have their key as the code."""

    default_error_messages = {
        "required": "This is required.",
        "null": "This must not be null.",
        "validator_failed": "This is not accepted.",
    }

    def __init__(self, *args: Any, limits: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        """Add the limits to the field's metadata, which the OpenAPI document shows."""
        metadata = {**(limits or {}), **kwargs.pop("metadata", {})}
        super().__init__(*args, metadata=metadata, **kwargs)

    def make_error(self, key: str, **kwargs: Any) -> ValidationError:
        """Return the error for a key of `error_messages`, with its numbers filled in."""
        return ValidationError(Reason(str(self.error_messages[key]).format(**kwargs), key))


class Value(Strict):
    """A field that is read from its value alone."""

    def read(self, value: Any) -> Any:
        """Return the validated value. Raises one of the field's errors."""
        raise NotImplementedError

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        return self.read(value)


class Amount(Value, fields.Integer):
    """A positive amount in minor units of a currency."""

    default_error_messages = {
        "invalid": "This must be an integer in the currency's minor unit: 12.50 EUR is 1250.",
        "too_small": "This is {value}; it must be at least {minimum}.",
        "too_large": "This must be at most {maximum}.",
    }

    def __init__(self, minimum: int = 1, **kwargs: Any) -> None:
        super().__init__(limits={"minimum": minimum, "maximum": amount_max, "example": 1250}, **kwargs)
        self.minimum = minimum

    def read(self, value: Any) -> int:
        """Return the value."""
        if type(value) is not int:
            raise self.make_error("invalid")
        if value > amount_max:
            raise self.make_error("too_large", maximum=amount_max)
        if value < self.minimum:
            raise self.make_error("too_small", value=max(value, -amount_max), minimum=self.minimum)
        return value


class SignedAmount(Amount):
    """An amount in minor units of a currency that may be negative."""

    default_error_messages = {"too_small": "This must be at least {minimum}."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(-amount_max, **kwargs)


class Weight(Value, fields.Float):
    """A number from zero to a maximum, with up to four decimals: a percentage, or a weight. It stays as it was sent.

    The document does not say `multipleOf: 0.0001`: most validators divide by that as floats do, and refuse 0.0185.
    """

    default_error_messages = {
        "invalid": "This must be a number with up to {decimals_max} decimals, such as {example}.",
        "too_small": "This must be at least 0.",
        "too_large": "This must be at most {maximum}.",
        "too_precise": "This is {value}, with {decimals} decimals; it must have at most {decimals_max}.",
    }

    def __init__(self, maximum: int, example: float, **kwargs: Any) -> None:
        super().__init__(limits={"minimum": 0, "maximum": maximum, "example": example}, **kwargs)
        self.maximum, self.example = maximum, example

    def read(self, value: Any) -> int | float:
        """Return the value."""
        # NaN is not even itself.
        if type(value) not in {int, float} or value != value:  # noqa: PLR0124
            raise self.make_error("invalid", decimals_max=decimals_max, example=self.example)
        if value > self.maximum:
            raise self.make_error("too_large", maximum=self.maximum)
        if value < 0:
            raise self.make_error("too_small")
        if (decimals := decimals_of(value)) > decimals_max:
            raise self.make_error(
                "too_precise", value=f"{Decimal(repr(value)):f}", decimals=decimals, decimals_max=decimals_max
            )
        number: int | float = value
        return number


class Flag(Value, fields.Boolean):
    """True or false."""

    default_error_messages = {"invalid": "This must be true or false."}

    def read(self, value: Any) -> bool:
        """Return the value."""
        if type(value) is not bool:
            raise self.make_error("invalid")
        return value


class QueryFlag(Flag):
    """True or false in a query, as the words `true` and `false`."""

    def read(self, value: Any) -> bool:
        """Return the value."""
        return super().read({"true": True, "false": False}.get(value))


class Choice(Value, fields.String):
    """One of a fixed set of words."""

    default_error_messages = {"invalid": "This must be one of: {words}."}

    def __init__(self, *words: str, **kwargs: Any) -> None:
        super().__init__(limits={"enum": list(words)}, **kwargs)
        self.words = words

    def read(self, value: Any) -> str:
        """Return the value."""
        if type(value) is not str or value not in self.words:
            raise self.make_error("invalid", words=", ".join(self.words))
        return value


class Currency(Value, fields.String):
    """An ISO 4217 code; for a new team, one in use. Elsewhere the service decides, as it knows what is stored."""

    default_error_messages = {"invalid": "This must be an ISO 4217 currency code in capitals, such as EUR."}

    def __init__(self, *, for_a_new_team: bool = False, **kwargs: Any) -> None:
        super().__init__(limits={"pattern": "^[A-Z]{3}$", "example": "EUR"}, **kwargs)
        self.for_a_new_team = for_a_new_team

    def read(self, value: Any) -> str:
        """Return the value."""
        if type(value) is not str or not currency_code.fullmatch(value):
            raise self.make_error("invalid")
        if self.for_a_new_team and (reason := why_not(value, for_a_team=True)):
            raise ValidationError(Reason(reason.detail, reason.code))
        return value


class Identifier(Value, fields.String):
    """The UUID of something."""

    default_error_messages = {"invalid": "This must be a UUID."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(limits={"format": "uuid"}, **kwargs)

    def read(self, value: Any) -> str:
        """Return the value."""
        if type(value) is not str or not identifier.fullmatch(value):
            raise self.make_error("invalid")
        return value.lower()


class Day(Value, fields.Date):
    """A date as YYYY-MM-DD, of any year."""

    default_error_messages = {"invalid": "This must be a real date, as YYYY-MM-DD."}

    def read(self, value: Any) -> datetime.date:
        """Return the value."""
        if type(value) is not str or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
            raise self.make_error("invalid")
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            raise self.make_error("invalid") from None


class SpentOn(Day):
    """The day of an expense, from the year 2000 on; the service knows the latest, by the team's time zone."""

    default_error_messages = {"out_of_range": "This must be {earliest} or later."}

    def read(self, value: Any) -> datetime.date:
        """Return the value."""
        day = super().read(value)
        if day < spent_on_min:
            raise self.make_error("out_of_range", earliest=spent_on_min)
        return day


class Limit(Value, fields.Integer):
    """The number of items on a page; a number above the maximum counts as the maximum."""

    default_error_messages = {"invalid": "This must be a whole number, at least 1."}

    def __init__(self) -> None:
        super().__init__(
            load_default=limit_default,
            limits={"minimum": 1, "description": f"At most {limit_max}; a higher number counts as {limit_max}."},
        )

    def read(self, value: Any) -> int:
        """Return the value."""
        if not re.fullmatch(r"[1-9][0-9]*", value, re.ASCII):
            raise self.make_error("invalid")
        # Python refuses to read thousands of digits, and the first few tell that it is above the maximum.
        return min(int(value[:6]), limit_max)


class Whole(Value, fields.Integer):
    """A whole number in a query, from 0 to a maximum."""

    default_error_messages = {
        "invalid": "This must be a whole number, at least 0.",
        "too_large": "This must be at most {maximum}.",
    }

    def __init__(self, maximum: int, **kwargs: Any) -> None:
        super().__init__(limits={"minimum": 0, "maximum": maximum}, **kwargs)
        self.maximum = maximum

    def read(self, value: Any) -> int:
        """Return the value."""
        if not re.fullmatch(r"0|[1-9][0-9]*", value, re.ASCII):
            raise self.make_error("invalid")
        # The first digits tell whether it is above any maximum of ours.
        if (number := int(value[:20])) > self.maximum:
            raise self.make_error("too_large", maximum=self.maximum)
        return number


class Several(Strict, fields.List[Any]):
    """A list with a minimum and a maximum length."""

    default_error_messages = {
        "invalid": "This must be a list.",
        "too_few": "This has {length} items; it must have at least {minimum}.",
        "too_many": "This has {length} items, {over} more than the maximum of {maximum}.",
    }

    def __init__(self, item: fields.Field[Any], minimum: int, maximum: int, **kwargs: Any) -> None:
        super().__init__(item, limits={"minItems": minimum, "maxItems": maximum}, **kwargs)
        self.minimum, self.maximum = minimum, maximum

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if type(value) is not list:
            raise self.make_error("invalid")
        if len(value) < self.minimum:
            raise self.make_error("too_few", length=len(value), minimum=self.minimum)
        if len(value) > self.maximum:
            over = len(value) - self.maximum
            raise self.make_error("too_many", length=len(value), over=over, maximum=self.maximum)
        return super()._deserialize(value, attr, data, **kwargs)


class Part(Strict, fields.Nested):
    """An object inside another."""

    default_error_messages = {"type": "This must be an object."}
