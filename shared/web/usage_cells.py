"""Which cells of the roll-ups somebody asks for by model, key and request type, and what they are listed by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypedDict, get_args

from shared.gateway.records import RequestType
from shared.store.counters import Counters, added
from shared.store.rollups import KEY, MODEL, PAIR, TOTAL, Kind
from shared.web.admin_errors import invalid_field

_REQUEST_TYPES: tuple[RequestType, ...] = get_args(RequestType)


class Place(TypedDict):
    """Which cells the reader reads."""

    key: str | None
    model: str | None
    only: Callable[[str], bool] | None


class UsageCells:
    """Which cells count, and in which kind they are found with the fewest reads."""

    def __init__(self, virtual_model: str | None, key_id: str | None, request_type: str | None) -> None:
        if request_type and request_type not in _REQUEST_TYPES:
            raise invalid_field("request_type", f"must be one of {', '.join(_REQUEST_TYPES)}")
        self._model = virtual_model or None
        self._key = key_id or None
        self._type = request_type or None

    @property
    def kind(self) -> Kind:
        if self._key:
            return PAIR if self._model else KEY
        return MODEL if self._model else TOTAL

    @property
    def kind_of_keys(self) -> Kind:
        return PAIR if self._model else KEY

    @property
    def kind_of_models(self) -> Kind:
        return PAIR if self._key else MODEL

    def place(self, kind: Kind) -> Place:
        """Where the cells are; a pack of pairs has many others beside them."""
        return {"key": self._key, "model": self._model, "only": self._takes_pair if kind is PAIR else None}

    def taken(self, cells: Mapping[str, Counters]) -> Iterable[Counters]:
        """The rows of `kind` that count."""
        wanted = [each for each in (self._key, self._model) if each]
        return [
            row
            for name, row in cells.items()
            if self._takes_type(name) and (not wanted or name.partition("|")[2] == "|".join(wanted))
        ]

    def by_model(self, cells: Mapping[str, Counters]) -> dict[str, Counters]:
        """The rows of `kind_of_models` by their virtual model."""
        found: dict[str, Counters] = {}
        for name, row in cells.items():
            model = name.partition("|")[2]
            if self._key:
                key, _, model = model.partition("|")
                if key != self._key:
                    continue
            if self._takes_type(name) and self._model in (None, model):
                found[model] = added(found[model], row) if model in found else row
        return found

    def by_key(self, cells: Mapping[str, Counters]) -> dict[str, Counters]:
        """The rows of `kind_of_keys` by their key."""
        found: dict[str, Counters] = {}
        for name, row in cells.items():
            key, _, model = name.partition("|")[2].partition("|")
            if self._takes_type(name) and self._model in (None, model) and self._key in (None, key):
                found[key] = added(found[key], row) if key in found else row
        return found

    def by_rest(self, cells: Mapping[str, Counters]) -> dict[str, Counters]:
        """Rows by what is behind their request type."""
        found: dict[str, Counters] = {}
        for name, row in cells.items():
            if self._takes_type(name):
                rest = name.partition("|")[2]
                found[rest] = added(found[rest], row) if rest in found else row
        return found

    def _takes_pair(self, name: str) -> bool:
        key, _, model = name.partition("|")[2].partition("|")
        return self._key in (None, key) and self._model in (None, model)

    def _takes_type(self, name: str) -> bool:
        return self._type is None or name.startswith(f"{self._type}|") or name == self._type


def endpoint_of(name: str) -> tuple[int, str]:
    """The id and the name; 0 is the id of others, for which a pack had no room."""
    number, bar, title = name.partition("|")
    return (int(number), title) if bar else (0, name)
