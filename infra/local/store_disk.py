"""The disk under the embedded tables: one file of lines, everything there was and then each change, on disk at once.

A line is a list of changes that belong together: `["create", request]`, `["put", table, item]` or
`["delete", table, partition, sort]`. Changes state results, not requests, so that reading is fast and repeatable.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from shared import wire

Change: TypeAlias = list[Any]

_NAME = re.compile(r"tables-(\d{8})\.jsonl")
_LEAST_GROWTH = 1024 * 1024


class DamagedFile(Exception):
    """A line in the middle of the file cannot be read; the message names the file and the line."""


class RedoFile:
    """Appends lines, each on disk when `append` returns; `rewrite` replaces all of them by a shorter telling."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None
        self._size = 0
        self._rewrite_at = 0
        folder.mkdir(parents=True, exist_ok=True)

    def read(self) -> Iterator[list[Change]]:
        """The lines so far. What a kill tore from the last one was never acknowledged, and is cut off.

        Raises DamagedFile. Append or rewrite only after reading to the end.
        """
        path = self._current()
        if path is None:
            return
        content = path.read_bytes()
        *lines, torn = content.split(b"\n")
        for number, line in enumerate(lines, 1):
            try:
                yield wire.loads(line)
            except ValueError as failure:
                raise DamagedFile(f"{path}, line {number} cannot be read; restore the file or remove it") from failure
        self._open(path, len(content) - len(torn))
        os.ftruncate(self._opened(), self._size)

    def append(self, changes: list[Change]) -> None:
        """Raises OSError; the file then ends where it ended before."""
        line = wire.dumps(changes) + b"\n"
        descriptor = self._opened()
        try:
            if os.write(descriptor, line) < len(line):
                raise OSError(f"{self._folder} takes no more: only a part of a change could be written")
            os.fdatasync(descriptor)
        except OSError:
            os.ftruncate(descriptor, self._size)
            raise
        self._size += len(line)

    @property
    def has_grown(self) -> bool:
        """Whether more was appended than it is worth keeping."""
        return self._size >= self._rewrite_at

    def rewrite(self, lines: Iterable[list[Change]]) -> None:
        """Start a new file with these lines; a kill at any moment leaves the old or the new one whole."""
        old = self._current()
        number = int(_number(old)) + 1 if old else 1
        path = self._folder / f"tables-{number:08d}.jsonl"
        draft = path.with_suffix(".draft")
        with open(draft, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.writelines(wire.dumps(changes) + b"\n" for changes in lines)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
        _sync(self._folder)
        self._open(path, path.stat().st_size)
        for each in self._folder.iterdir():
            if each != path:
                each.unlink()  # the file before, and what a kill left of an earlier turn

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self, path: Path, size: int) -> None:
        self.close()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._size = size
        self._rewrite_at = 2 * size + _LEAST_GROWTH

    def _opened(self) -> int:
        if self._descriptor is None:
            self.rewrite([])
        assert self._descriptor is not None  # noqa: S101 - rewrite opened it
        return self._descriptor

    def _current(self) -> Path | None:
        return max((path for path in self._folder.iterdir() if _NAME.fullmatch(path.name)), default=None)


def _number(path: Path) -> str:
    match = _NAME.fullmatch(path.name)
    return match[1] if match else "0"


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
