"""Text and e-mail addresses: normalised, and without invisible characters."""

import unicodedata
from typing import Any

from email_validator import EmailNotValidError, validate_email
from marshmallow import ValidationError, fields

from service.web.fields import Value

# Unicode's categories of control characters, lone surrogates, invisible format characters and line separators. With
# them, two different names could look the same.
never_in_passwords = {"Cc", "Cs"}
never_in_text = never_in_passwords | {"Cf", "Zl", "Zp"}
# Some scripts and emoji need these two.
joiners = "\u200c\u200d"
# These are letters by category, but look blank.
fillers = "\u115f\u1160\u2800\u3164\uffa0"


# A character of NFC has at most this many code points when it is decomposed (UAX #15, maximum expansion factors).
decomposed_factor = 4
email_length_max = 254


class Text(Value, fields.String):
    """Text of limited length, in Unicode's NFC, without leading and trailing white space unless `trim` is false."""

    default_error_messages = {
        "invalid": "This must be a string.",
        "unprintable": "This has the character U+{point:04X}, which is not allowed.",
        "blank": "This has no visible characters.",
        "too_short": "This has {length} characters; it must have at least {minimum}.",
        "too_long": "This has {length} characters, {over} more than the maximum of {maximum}.",
    }

    def __init__(self, minimum: int, maximum: int, *, lines: bool = False, trim: bool = True, **kwargs: Any) -> None:
        super().__init__(limits={"minLength": minimum, "maxLength": maximum}, **kwargs)
        self.minimum, self.maximum, self.lines, self.trim = minimum, maximum, lines, trim

    def read(self, value: Any) -> str:
        """Return the value."""
        if type(value) is not str:
            raise self.make_error("invalid")
        # Before anything that takes time with every character, or more (marks are sorted).
        if len(value) > self.maximum * decomposed_factor:
            raise self._too_long(value)
        refused = never_in_text if self.trim else never_in_passwords
        for character in value:
            if unicodedata.category(character) in refused and not (
                character in joiners or (self.lines and character in "\n\t\r")
            ):
                raise self.make_error("unprintable", point=ord(character))
        text = unicodedata.normalize("NFC", value.strip() if self.trim else value)
        if text and not any(map(_is_visible, text)):
            raise self.make_error("blank")
        if len(text) < self.minimum:
            raise self.make_error("too_short", length=len(text), minimum=self.minimum)
        if len(text) > self.maximum:
            raise self._too_long(text)
        return text

    def _too_long(self, text: str) -> ValidationError:
        over = len(text) - self.maximum
        return self.make_error("too_long", length=len(text), over=over, maximum=self.maximum)


class Email(Value, fields.String):
    """An e-mail address in its normal form: see service.auth."""

    default_error_messages = {
        "invalid": "This must be a string.",
        "not_email": "This is not an accepted e-mail address: {reason}",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(limits={"format": "email", "minLength": 3, "maxLength": email_length_max}, **kwargs)

    def read(self, value: Any) -> str:
        """Return the value."""
        if type(value) is not str:
            raise self.make_error("invalid")
        if len(value) > email_length_max * decomposed_factor:
            raise self.make_error("not_email", reason=f"It has {len(value)} characters, more than any address.")
        try:
            address = validate_email(value, check_deliverability=False, allow_smtputf8=False, strict=True)
        except EmailNotValidError as error:
            raise self.make_error("not_email", reason=str(error)) from None
        return f"{address.ascii_local_part}@{address.ascii_domain}".lower()


def _is_visible(character: str) -> bool:
    return (
        character.isprintable()
        and not character.isspace()
        and unicodedata.category(character) not in {"Mn", "Me"}
        and character not in fillers
    )
