"""Cells that a spreadsheet must not calculate, and cells that it must read as they are."""

from __future__ import annotations

import csv
import io

import pytest

from functions.admin_usage_export.sheet import written

SIGNS = "=+-@＝＋－＠"
INVISIBLE = [
    "",
    " ",
    "   ",
    "\t",
    "\r",
    "\n",
    "\x00",
    "\v",
    "\f",
    "\x85",
    "\xa0",
    "\u3000",
    "\u200b",
    "\u202e",
    "\ufeff",
]


def read(cells: list[str]) -> list[str]:
    [row] = csv.reader(io.StringIO(written([cells]).decode(), newline=""))
    return row


@pytest.mark.parametrize("before", INVISIBLE, ids=ascii)
def test_no_sign_that_is_seen_first_is_calculated(before: str) -> None:
    cells = [f'{before}{sign}HYPERLINK("http://x","y")' for sign in SIGNS]
    cells += [f"\x00 \xa0{each}" for each in cells]
    assert read(cells) == [f"'{each}" for each in cells]


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "plain",
        "näme",
        "模型🜂",
        "a=1",
        "1+1",
        '"=1"',
        'say "so", twice',
        "two\r\nlines",
        "two\nlines",
        "a\tb",
        "(others)",
        "'quoted'",
        "\x00",
        "x" * 100_000,
        "," * 1_000,
    ],
    ids=lambda cell: ascii(cell[:12]),
)
def test_the_rest_is_read_back_as_it_was(cell: str) -> None:
    assert read([cell, "next"]) == [cell, "next"]


def test_a_number_below_zero_is_a_number_and_half_a_letter_no_failure() -> None:
    assert written([[-5, "\ud83d"]]) == b'"-5","?"\r\n'
