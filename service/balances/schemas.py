"""What balances look like."""

from marshmallow import fields

from service.web.schemas import Output


class Balance(Output):
    """A member's balance in one currency, in minor units."""

    member_id = fields.UUID(required=True)
    name = fields.String(required=True)
    currency = fields.String(required=True)
    paid = fields.Integer(required=True)
    owed = fields.Integer(required=True)
    net = fields.Integer(required=True, metadata={"description": "Positive is to be received, negative to be paid."})


class Balances(Output):
    """All balances of a team at one of its revisions."""

    revision = fields.Integer(required=True)
    items = fields.List(fields.Nested(Balance), required=True)
