"""A pack: rows of counters by name, stored in little and added up fast (docs/adr/0008).

A row is also one whole number: its counters lie in it side by side, in lanes too wide to be outgrown. Rows are then
added by one addition and taken out of each other by one subtraction, forty counters at a time.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from struct import Struct, iter_unpack
from typing import NamedTuple, TypeAlias

from shared import wire
from shared.store.counters import COSTS, PLACE, Counters

Cells: TypeAlias = dict[str, Counters]
Sums: TypeAlias = dict[str, int]  # rows as whole numbers
Names: TypeAlias = Callable[[str], bool]

_WORD = 64  # bits. A lane is one word; a cost's, in picodollars, is two
_LOW = 2**_WORD - 1
_WIDE = range(PLACE[COSTS[0]], PLACE[COSTS[-1]] + 1)


class _Columns(NamedTuple):
    """What a pack holds: its names, and from `begin` on as many bytes for each used place of a row."""

    names: list[str]
    raw: bytes
    begin: int

    def column(self, number: int) -> bytes:
        count = len(self.names)
        begin = self.begin + number * count
        return self.raw[begin : begin + count]


class _Form(NamedTuple):
    """Packs of one form are read together. A row has so many counters, and bytes other than zero at `used`."""

    counters: int
    used: tuple[int, ...]


class _Layout(NamedTuple):
    words: Struct
    signs: int  # the highest bit of each lane


@cache
def _layout(counters: int) -> _Layout:
    form, signs, bits = "<", 0, 0
    for place in range(counters):
        wide = place in _WIDE
        form += "Qq" if wide else "q"
        bits += 2 * _WORD if wide else _WORD
        signs |= 1 << bits - 1
    return _Layout(Struct(form), signs)


def pack(cells: Cells) -> bytes:
    """Compressed: how many counters a row has, the names, and the rows' bytes by their place in the row, so that like
    stands beside like, without the places that no row uses. Raises struct.error for a number no lane has room for."""
    counters = max(map(len, cells.values()), default=0)
    words = _layout(counters).words
    rows = b"".join([words.pack(*_words_of(row, counters)) for row in cells.values()])
    columns = {place: rows[place :: words.size] for place in range(words.size)}
    used = {place: column for place, column in columns.items() if any(column)}
    head = wire.dumps([counters, list(cells), list(used)])
    return zlib.compress(b"".join([head, b"\n", *used.values()]), 6)


def unpack(content: bytes) -> Cells:
    form, columns = _read(content)
    return {name: row_of(number, form.counters) for name, number in _rows(form, [columns])}


def sum_of_packs(contents: Iterable[bytes], only: Names | None = None) -> Sums:
    """The packs' rows added up, those alone whose names `only` takes."""
    packs: dict[_Form, list[_Columns]] = {}
    for content in contents:
        form, columns = _read(content)
        packs.setdefault(form, []).append(columns)
    sums: Sums = {}
    for form, alike in packs.items():
        rows = _rows(form, alike)
        add_to(sums, rows if only is None else (row for row in rows if only(row[0])))
    return sums


def add_to(sums: Sums, more: Iterable[tuple[str, int]]) -> None:
    for name, number in more:
        sums[name] = sums.get(name, 0) + number


def take_from(sums: Sums, less: Iterable[tuple[str, int]]) -> None:
    for name, number in less:
        sums[name] = sums.get(name, 0) - number


def row_of(number: int, counters: int) -> Counters:
    """The row that the number is; in a difference some of it may be below zero."""
    words, signs = _layout(counters)
    # a lane below zero borrows from the next; with the signs added none does, and flipped back they say which it is
    given = words.unpack(((number + signs) ^ signs).to_bytes(words.size, "little"))
    first, last = _WIDE.start, _WIDE.start + 2 * len(_WIDE)
    wide = [low + (high << _WORD) for low, high in zip(given[first:last:2], given[first + 1 : last : 2], strict=True)]
    return [*given[:first], *wide, *given[last:]]


def _words_of(row: Sequence[int], counters: int) -> Iterable[int]:
    """A row is shorter where counters were added behind its own."""
    padded = [*row, *[0] * (counters - len(row))]
    wide = chain.from_iterable((each & _LOW, each >> _WORD) for each in padded[_WIDE.start : _WIDE.stop])
    return chain(padded[: _WIDE.start], wide, padded[_WIDE.stop :])


def _read(content: bytes) -> tuple[_Form, _Columns]:
    if not content:
        return _Form(0, ()), _Columns([], b"", 0)
    raw = zlib.decompress(content)
    if raw.startswith(b"{"):  # as packs were first: {name: row}
        return _read(pack(wire.loads(raw)))
    end = raw.index(b"\n")
    counters, names, used = wire.loads(raw[:end])
    return _Form(counters, tuple(used)), _Columns(names, raw, end + 1)


def _rows(form: _Form, packs: Sequence[_Columns]) -> Iterator[tuple[str, int]]:
    """Every pack's rows with their names. A place of all their rows is filled at once, which is most of the work."""
    names = [name for each in packs for name in each.names]
    size = form.used[-1] + 1 if form.used else 1
    rows = bytearray(len(names) * size)
    for column, place in enumerate(form.used):
        rows[place::size] = b"".join([each.column(column) for each in packs])
    for name, (row,) in zip(names, iter_unpack(f"{size}s", rows), strict=True):
        yield name, int.from_bytes(row, "little")
