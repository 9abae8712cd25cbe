"""What can be changed of one's own account."""

from service.auth.schemas import Password
from service.fields import Email, Text
from service.schema import Change


class AccountChange(Change):
    """What changes; all else stays as it is. A new address or password needs the current password."""

    name = Text(1, 100)
    email = Email()
    password = Password()
    current_password = Password(1)
