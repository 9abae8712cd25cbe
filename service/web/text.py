"""Text and e-mail addresses: normalised, and without what nobody sees.

Pasted text brings characters that show nothing. They are dropped, except where they change what is seen, so that names
that look the same do not differ by them. Only what makes text read differently from what it is, is refused.
"""

import unicodedata
from typing import Any

import email_validator
import regex
from email_validator import EmailNotValidError, validate_email
from marshmallow import ValidationError, fields

from service.web.fields import Value

# Overrides, embeddings and isolates of the direction of writing, control characters, lone surrogates, line separators.
direction_controls = r"\u202a-\u202e\u2066-\u2069"
never_in_passwords = regex.compile(r"[\p{Cc}\p{Cs}]")
never_in_text = regex.compile(rf"[\p{{Cc}}\p{{Cs}}\p{{Zl}}\p{{Zp}}{direction_controls}]")
never_in_lines = regex.compile(rf"(?V1)[[\p{{Cc}}\p{{Cs}}\p{{Zl}}\p{{Zp}}{direction_controls}]--[\t\n\r]]")

# What shows nothing: format characters, but for signs around numbers, such as U+0600; and what Unicode tells fonts to
# ignore (Default_Ignorable_Code_Point), such as variation selectors, tags and Hangul's fillers.
shows_nothing = r"[\p{Cf}\p{Default_Ignorable_Code_Point}--\p{Prepended_Concatenation_Mark}]"
# Neither a combining mark alone nor the blank of Braille is seen.
seen = regex.compile(rf"(?V1)[^\s\p{{Cc}}\p{{Cs}}\p{{Mn}}\p{{Me}}\u2800{shows_nothing}]")
unseen = regex.compile(rf"(?V1)[{shows_nothing}--[{direction_controls}]]")

# Where those change what is seen, the sequence is the first group: to be kept (UTS #51, UTS #37, UAX #31 §2.3).
# A selector for colours (U+FE0F) is none of an emoji that has them anyway.
pictograph = r"(?:\p{Emoji_Presentation}\ufe0e?|[\p{Extended_Pictographic}--\p{Emoji_Presentation}][\ufe0e\ufe0f]?)"
emoji = rf"{pictograph}\p{{Emoji_Modifier}}?"
joining = r"[\p{Joining_Type=Dual_Joining}\p{Joining_Type=Right_Joining}\p{Joining_Type=Left_Joining}]"
virama = r"\p{Canonical_Combining_Class=Virama}"
kept_or_unseen = regex.compile(
    rf"""(?V1)(?x)
    (
        # The flag of a region, such as Scotland: at most six tags, so that nothing else hides in them.
        \U0001f3f4 [\U000e0030-\U000e0039\U000e0061-\U000e007a]{{3,6}} \U000e007f
        # An emoji: shown in colours or as text, with a tone of skin, joined to others.
        | {emoji} (?: \u200d {emoji} )*
        | [0-9\#*] \ufe0f \u20e3
        # The variant of an ideograph, as in Japanese names, or of a Mongolian letter.
        | \p{{Han}} [\ufe00-\ufe0f\U000e0100-\U000e01ef]
        | \p{{Mongolian}} [\u180b-\u180f]
        # Between letters that join, as in Persian, and at a virama, as in Hindi.
        | (?<= {joining} \p{{Mn}}* ) [\u200c\u200d] (?= {joining} )
        | (?<= {virama} ) [\u200c\u200d]
        | [\u200c\u200d] (?= {virama} )
        # Marks of direction; they have an effect beside letters that are written from right to left.
        | [\u061c\u200e\u200f]
    )
    | [{shows_nothing}--[{direction_controls}]]
    """
)
right_to_left = regex.compile(r"(?V1)[\p{Bidi_Class=R}\p{Bidi_Class=AL}&&\p{Letter}]")
direction_marks = "\u061c\u200e\u200f"
# Nothing of this at the ends of a text: all white space (the last of it is U+3000), and what only acts between letters.
edges = "".join(filter(str.isspace, map(chr, range(0x3001)))) + direction_marks + "\u200c\u200d"

# A character of NFC has at most this many code points when it is decomposed (UAX #15, maximum expansion factors).
decomposed_factor = 4
email_length_max = 254

# Mail is not sent, so that private networks may have addresses of their own (.home.arpa, .local, .test). What remains
# refused is the one name that never has any (RFC 6761 §6.4).
email_validator.SPECIAL_USE_DOMAIN_NAMES[:] = ["invalid"]


def trimmed(text: str) -> str:
    """Return a text without what is not seen, and without white space at its ends."""
    if not text.isascii() and unseen.search(text):
        text = kept_or_unseen.sub(r"\1", text)
        if not right_to_left.search(text):
            text = text.translate(dict.fromkeys(map(ord, direction_marks)))
    return text.strip(edges)


class Text(Value, fields.String):
    """Text of limited length in Unicode's NFC, `trimmed` unless `trim` is false."""

    default_error_messages = {
        "invalid": "This must be a string.",
        "unprintable": "This has the character U+{point:04X}{name}, which is not allowed.",
        "blank": "This has no visible characters.",
        "too_short": "This has {length} characters; it must have at least {minimum}.",
        "too_long": "This has {length} characters, {over} more than the maximum of {maximum}.",
    }

    def __init__(self, minimum: int, maximum: int, *, lines: bool = False, trim: bool = True, **kwargs: Any) -> None:
        super().__init__(limits={"minLength": minimum, "maxLength": maximum}, **kwargs)
        self.minimum, self.maximum, self.trim = minimum, maximum, trim
        self.never = never_in_lines if lines else never_in_text if trim else never_in_passwords

    def read(self, value: Any) -> str:
        """Return the value."""
        if type(value) is not str:
            raise self.make_error("invalid")
        # Before anything that takes time with every character, or more (marks are sorted).
        if len(value) > self.maximum * decomposed_factor:
            raise self._too_long(value)
        text = trimmed(value) if self.trim else value
        if found := self.never.search(text):
            name = unicodedata.name(found[0], "")
            raise self.make_error("unprintable", point=ord(found[0]), name=name and f" ({name.lower()})")
        text = unicodedata.normalize("NFC", text)
        if not seen.search(text) and (text or value.strip()):
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
            address = validate_email(trimmed(value), check_deliverability=False, allow_smtputf8=False, strict=True)
        except EmailNotValidError as error:
            raise self.make_error("not_email", reason=str(error)) from None
        return f"{address.ascii_local_part}@{address.ascii_domain}".lower()
