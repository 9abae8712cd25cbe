"""What currencies look like."""

from marshmallow import fields

from service.web.schemas import Output


class Currency(Output):
    """A currency that is in use."""

    code = fields.String(required=True, metadata={"description": "Its code in ISO 4217."})
    name = fields.String(required=True, metadata={"description": "Its English name in ISO 4217."})
    decimals = fields.Integer(
        required=True, metadata={"description": "How many decimals its minor unit stands for: 1250 is 12.50 EUR."}
    )


class Currencies(Output):
    """All currencies that are in use."""

    example = {"items": [{"code": "EUR", "name": "Euro", "decimals": 2}, {"code": "JPY", "name": "Yen", "decimals": 0}]}

    items = fields.List(fields.Nested(Currency), required=True)
