"""The text files of recorded wires."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent.parent / "fixtures"


def fixture_bytes(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()
