"""What every runner does: read the jobs, ask its parsers, and write calls, exceptions and CPU seconds as JSON lines.

A runner is started as `python with_<project>.py jobs.json answers.jsonl` and imports this file by its folder.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

Call: TypeAlias = tuple[str, str]  # the name, and the arguments as JSON text
Read: TypeAlias = Callable[[], list[Call]]
Make: TypeAlias = Callable[[str, dict[str, Any], list[str]], dict[str, Read]]


class Merged:
    """Calls put together from deltas, by index."""

    def __init__(self) -> None:
        self._parts: dict[int, list[str]] = {}

    def add(self, index: int, name: str | None, arguments: str | None) -> None:
        parts = self._parts.setdefault(index, ["", ""])
        parts[0] = name or parts[0]
        parts[1] += arguments or ""

    def calls(self) -> list[Call]:
        return [(name, arguments) for name, arguments in self._parts.values()]


def answer(make: Make) -> None:
    """`make(parser, case, tokens)` has a fresh reader for each mode, "whole" and "streamed", that the parser has."""
    work = json.loads(Path(sys.argv[1]).read_text())
    with Path(sys.argv[2]).open("w") as out:
        for job in work["jobs"]:
            for case in [*job["cases"][:3], *job["cases"]]:  # the first three warm caches; their later lines count
                for line in _asked(make, job["parser"], case, work["tokens"]):
                    out.write(json.dumps({"parser": job["parser"], "id": case["id"], **line}) + "\n")


def _asked(make: Make, parser: str, case: dict[str, Any], tokens: list[str]) -> list[dict[str, Any]]:
    found = []
    for mode in ("whole", "streamed"):
        calls, raised, start = [], None, time.process_time()
        try:
            read = make(parser, case, tokens).get(mode)
            if read is None:
                continue
            start = time.process_time()
            calls = read()
        except Exception as failure:  # noqa: BLE001 - what a foreign parser raises is a result of this comparison
            raised = f"{type(failure).__name__}: {failure}"[:200]
        found.append({"mode": mode, "calls": calls, "raised": raised, "seconds": time.process_time() - start})
    return found
