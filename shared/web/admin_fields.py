"""The kinds of fields that administrators write, and the rules that hold for all of their forms."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, ClassVar

from fastapi import Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from shared.gateway.pricing import HIGHEST_PRICE, PRICE_PLACES

_NAME_CHARS = 128


def _flag(value: Any) -> bool:
    if type(value) in (bool, int) and value in (0, 1):
        return bool(value)
    raise ValueError("must be true or false")


def _name(value: str) -> str:
    value = value.strip()
    if not 0 < len(value) <= _NAME_CHARS or not value.isprintable():
        raise ValueError(f"must be 1 to {_NAME_CHARS} characters, all of them visible")
    return value


def _blank_is_none(value: str | None) -> str | None:
    return value if value and value.strip() else None


def _price(value: Any) -> Decimal:
    """Exact: a number is taken as it was written, and one that a double cannot hold as written is refused."""
    if type(value) not in (int, float, str):
        raise ValueError("must be a number")
    try:
        price = Decimal(repr(value) if type(value) is float else value if type(value) is int else value.strip()[:40])
    except InvalidOperation:
        raise ValueError("must be a number") from None
    if not price.is_finite() or not 0 <= price <= HIGHEST_PRICE:
        raise ValueError(f"must be from 0 to {HIGHEST_PRICE} dollars")
    if -int(price.normalize().as_tuple().exponent) > PRICE_PLACES:
        raise ValueError(f"may have {PRICE_PLACES} digits behind the point: less is no whole picodollar a token")
    return price


Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean", "description": "or 0 and 1"})]
Name = Annotated[str, AfterValidator(_name), Field(min_length=1, max_length=10 * _NAME_CHARS)]
Blank = AfterValidator(_blank_is_none)
Price = Annotated[
    Decimal,
    BeforeValidator(_price),
    WithJsonSchema(
        {
            "anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}],
            "description": "dollars per million tokens, kept to the digit",
        }
    ),
]
RecordId = Annotated[int, Path(ge=1, le=9_999_999_999)]
Version = Annotated[int, Field(strict=True, description="the version you read; 409 when it is not the last one")]


def _without_defaults(schema: dict[str, Any]) -> None:
    """A field that is left out keeps its value, so no default is promised."""
    for field in schema.get("properties", {}).values():
        field.pop("default", None)


class Form(BaseModel):
    """What a client writes. Fields that clients of the original send to no effect, and those of a row that only the
    server sets, are passed over, so that a row can be sent back as it was read; other unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_without_defaults)

    passed_over: ClassVar[tuple[str, ...]] = ()  # an asterisk at the end stands for anything

    @model_validator(mode="before")
    @classmethod
    def _pass_over(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        names = frozenset(cls.passed_over)
        beginnings = tuple(name[:-1] for name in cls.passed_over if name.endswith("*"))
        return {
            name: value
            for name, value in body.items()
            if name in cls.model_fields or not (name in names or name.startswith(beginnings))
        }

    def given(self, *names: str) -> dict[str, Any]:
        """Those of the named fields that the client sent."""
        return {name: getattr(self, name) for name in names if name in self.model_fields_set}
