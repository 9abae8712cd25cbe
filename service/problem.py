"""What a problem document looks like (RFC 9457 §3)."""

from marshmallow import fields

from service.schema import Output


class FieldError(Output):
    """Why one value is refused."""

    place = fields.String(
        required=True, data_key="in", metadata={"enum": ["body", "query", "header"], "description": "Where it was."}
    )
    pointer = fields.String(required=True, metadata={"description": "A JSON pointer into that place (RFC 6901)."})
    code = fields.String(required=True, metadata={"description": "A stable word for programs."})
    detail = fields.String(required=True, metadata={"description": "A sentence for people, with the numbers."})


class OpenNet(Output):
    """What a member still has to get (or, negative, to give) in a currency."""

    currency = fields.String(required=True)
    net = fields.Integer(required=True)


class Problem(Output):
    """Why a request was refused (RFC 9457)."""

    type = fields.String(required=True, metadata={"example": "/problems/not-found"})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    instance = fields.String(required=True, metadata={"description": "The request id, as in X-Request-Id and the log."})
    errors = fields.List(fields.Nested(FieldError), metadata={"description": "With status 422: what to mend."})
    balances = fields.List(fields.Nested(OpenNet), metadata={"description": "With open-balance: what is open."})
