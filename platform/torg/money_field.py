"""The field of money: an object of a decimal text and a currency.

Owns money's JSON form. Reading, writing and arithmetic are `torg.money`'s; import the field from
`torg.schemas`.
"""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

import orjson
from marshmallow import ValidationError, missing
from marshmallow.utils import get_value

from torg import money
from torg.errors import InvalidError
from torg.field_base import HostField, Message


@lru_cache(maxsize=16384)
def money_json(minor: int, currency: str) -> orjson.Fragment:
    """Money of two columns, ready for the JSON encoder. A list repeats the same few amounts."""
    return orjson.Fragment(orjson.dumps(MoneyField.dump_columns(minor, currency)))


class MoneyField(HostField):
    """`{"amount": "19.99", "currency": "EUR"}`: a decimal text with exactly the currency's scale.

    Loads `torg.money.Money`. Dumps it too, or two attributes named by `minor` and `currency`, so
    that a query can return plain columns.
    """

    default_error_messages = {  # noqa: RUF012 - marshmallow reads this class attribute
        "not_money": "Has to be an object with amount and currency.",
        "not_text": "Has to be a text.",
        "amount_too_small": "Has to be at least {least}.",
        "amount_too_large": "May be at most {most}.",
        "currency_not_accepted": "Has to be one of: {allowed}.",
    }

    def __init__(
        self,
        *,
        minor: str | None = None,
        currency: str = "currency",
        signed: bool = False,
        minimum_minor: int | None = None,
        maximum_minor: int = money.MAX_MINOR,
        currencies: Collection[str] | None = None,
        **keywords: Any,
    ) -> None:
        """Bound the amount.

        Args:
            minor: attribute that holds the minor units to dump; None dumps a `Money`.
            currency: attribute that holds the currency beside `minor`.
            signed: allow negative amounts.
            minimum_minor: least minor units, instead of 0.
            maximum_minor: most minor units.
            currencies: the accepted codes; None accepts all current ones.
            **keywords: as in `HostField`.
        """
        super().__init__(**keywords)
        self.minor = minor
        self.currency = currency
        floor = -money.MAX_MINOR if signed else 0
        self.minimum_minor = floor if minimum_minor is None else minimum_minor
        self.maximum_minor = maximum_minor
        self.currencies = None if currencies is None else sorted(currencies)

    def openapi(self) -> dict[str, Any]:
        """An object of two strings."""
        scales = {money.scale(code) for code in self.currencies or ()}
        fraction = rf"(\.[0-9]{{1,{money.MAX_SCALE}}})?"
        if len(scales) == 1:
            (digits,) = scales
            fraction = rf"\.[0-9]{{{digits}}}" if digits else ""
        sign = "-?" if self.minimum_minor < 0 else ""
        code: dict[str, Any] = {"type": "string", "pattern": "^[A-Z]{3}$"}
        if self.currencies is not None:
            code["enum"] = self.currencies
        example = self.example_value()
        return {
            "type": "object",
            "properties": {
                "amount": {
                    "type": "string",
                    "pattern": f"^{sign}(0|[1-9][0-9]{{0,18}}){fraction}$",
                    "example": example["amount"],
                },
                "currency": {**code, "example": example["currency"]},
            },
            "required": ["amount", "currency"],
            "additionalProperties": False,
        }

    def example_value(self) -> Any:
        """The author's, or an amount that is allowed."""
        if self.example is not None:
            return self.example
        code = "EUR" if self.currencies is None or "EUR" in self.currencies else self.currencies[0]
        minor = max(self.minimum_minor, min(1999, self.maximum_minor))
        return self.dump_columns(minor, code)

    def dump_value(self, value: money.Money) -> dict[str, str]:
        """Amount and currency."""
        return self.dump_columns(value.minor, value.currency)

    @staticmethod
    def dump_columns(minor: int, currency: str) -> dict[str, str]:
        """Amount and currency of two columns."""
        return {"amount": money.format_amount(minor, currency), "currency": currency}

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **keywords: Any) -> Any:
        """As marshmallow's; with `minor`, from the two attributes."""
        if self.minor is None:
            return super().serialize(attr, obj, accessor, **keywords)
        get = accessor or get_value
        minor, currency = get(obj, self.minor, missing), get(obj, self.currency, missing)
        if minor is missing or currency is missing:
            return missing
        return None if minor is None else self.dump_columns(minor, currency)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_kw: Any) -> money.Money:
        if not isinstance(value, Mapping):
            raise self.make_error("not_money")
        amount, code = (self._text_of(value, name) for name in ("amount", "currency"))
        if unknown := set(value) - {"amount", "currency"}:
            raise ValidationError(
                {name: [Message("unknown", "Unknown field.")] for name in unknown}
            )
        if self.currencies is not None and code not in self.currencies:
            raise self._at("currency", "currency_not_accepted", allowed=", ".join(self.currencies))
        try:
            loaded = money.parse(amount, code)
        except InvalidError as error:
            place = "currency" if isinstance(error, money.UnknownCurrencyError) else "amount"
            message = Message(error.code, error.detail, **error.facts)
            raise ValidationError({place: [message]}) from None
        if loaded.minor < self.minimum_minor:
            least = money.format_amount(self.minimum_minor, code)
            raise self._at("amount", "amount_too_small", least=least)
        if loaded.minor > self.maximum_minor:
            most = money.format_amount(self.maximum_minor, code)
            raise self._at("amount", "amount_too_large", most=most)
        return loaded

    def _text_of(self, value: Mapping[str, Any], name: str) -> str:
        if name not in value:
            raise self._at(name, "required")
        text = value[name]
        if not isinstance(text, str):
            raise self._at(name, "not_text")
        return text

    def _at(self, name: str, key: str, **facts: Any) -> ValidationError:
        return ValidationError({name: self.make_error(key, **facts).messages})
