"""Lines for spreadsheets: every cell quoted, none of them a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from decimal import Decimal

# A cell that begins so is a formula to a spreadsheet (OWASP, CSV Injection); full-width forms are read as the others.
_FORMULA = frozenset("=+-@\t\r\n＝＋－＠")

UTF8_MARK = b"\xef\xbb\xbf"  # says that it is UTF-8, which Excel does not guess


def written(rows: Iterable[Iterable[str | int]]) -> bytes:
    text = io.StringIO()
    lines = ([_harmless(cell) for cell in row] for row in rows)
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(lines)
    return text.getvalue().encode("utf-8", "replace")


def dollars(picodollars: int) -> str:
    """All digits and no exponent."""
    return f"{Decimal(picodollars).scaleb(-12):f}"


def _harmless(cell: str | int) -> str | int:
    """Text that a spreadsheet would calculate is led by an apostrophe, which it takes for text. What cannot be seen
    before it is passed over: some drop it."""
    if isinstance(cell, str) and not cell[:1].isalnum():
        seen = (each for each in cell if each in _FORMULA or (each.isprintable() and each != " "))
        if next(seen, "") in _FORMULA:
            return f"'{cell}"
    return cell
