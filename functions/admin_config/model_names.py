"""Names and aliases of virtual models in an import: none is given twice, and each is free before it is taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from shared.store.audit import Entry
from shared.web.admin_errors import FieldError


class ModelStep(NamedTuple):
    """What an import makes of a virtual model, with its names before and after; an entry without changes leaves it as
    it is. `place` is where the document speaks of it."""

    place: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    entry: Entry
    apply: Callable[[], object]


def given_twice(models: Iterable[ModelStep]) -> list[FieldError]:
    """The names that two would have, at those that ask for them."""
    owners: dict[str, ModelStep] = {}
    wrong: list[FieldError] = []
    for model in sorted(models, key=lambda model: bool(set(model.after) - set(model.before))):  # who has it, first
        for name in model.after:
            owner = owners.setdefault(name, model)
            if owner is not model:
                field = "name" if name == model.after[0] else "aliases"
                wrong.append(FieldError(f"{model.place}.{field}", f"{name} is {owner.entry.name}'s already"))
    return wrong


def in_order(models: Iterable[ModelStep]) -> tuple[list[ModelStep], list[FieldError]]:
    """The steps so that whoever gives a name away comes before whoever takes it, and those that wait for one another,
    which no order helps."""
    waiting = [model for model in models if model.entry.changes]
    held = Counter(name for model in waiting for name in set(model.before) - set(model.after))
    ordered: list[ModelStep] = []
    moved = True
    while moved:
        moved, blocked = False, []
        for model in waiting:
            if any(held[name] for name in model.after if name not in model.before):
                blocked.append(model)
            else:
                held.subtract(set(model.before) - set(model.after))
                ordered.append(model)
                moved = True
        waiting = blocked
    stuck = [
        FieldError(
            f"{model.place}.aliases", "names go around in a circle: take them away in an import of its own first"
        )
        for model in waiting
    ]
    return ordered, stuck
