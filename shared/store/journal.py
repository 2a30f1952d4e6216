"""The ledger on a laptop's disk: one JSON line per record, written at once, read by whoever fills the table.

Each writing process has segments of its own, so that a line torn by a kill is always the last of its file.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from shared import wire
from shared.errors import StoreUnavailable
from shared.gateway.records import Record
from shared.store.ledger import Ledger, read_record

SEGMENT_BYTES = 16 * 1024 * 1024
_SUFFIX = ".jsonl"
_READ_BYTES = 64 * 1024


class JournalWriter:
    """Appends records to this process's segment of the day. `now` gives seconds since 1970."""

    def __init__(
        self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES, now: Callable[[], float] = time.time
    ) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._now = now
        self._descriptor: int | None = None
        self._next_day_at = 0.0
        self._size = 0
        self._torn = False

    def append(self, record: Record) -> None:
        """One write; when it returns the record outlives this process. Raises OSError (a full disk)."""
        line = wire.dumps(record) + b"\n"
        if self._torn:  # close the broken line: a reader passes over it alone
            line = b"\n" + line
        descriptor = self._segment()
        self._torn = True
        written = os.write(descriptor, line)
        self._size += written
        if written < len(line):
            raise OSError(f"only {written} of {len(line)} bytes of a record were written")
        self._torn = False

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _segment(self) -> int:
        now = self._now()
        if self._descriptor is None or now >= self._next_day_at or self._size >= self._segment_bytes:
            self.close()
            today = datetime.fromtimestamp(now, UTC)
            self._descriptor = self._create(f"{today:%Y-%m-%d-%H%M%S%f}-{os.getpid()}")
            tomorrow = today.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            self._next_day_at, self._size, self._torn = tomorrow.timestamp(), 0, False
        return self._descriptor

    def _create(self, name: str) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        for turn in itertools.count():
            with suppress(FileExistsError):
                return os.open(self._folder / f"{name}-{turn:04d}{_SUFFIX}", flags, 0o600)
        raise AssertionError("unreachable")


class JournalTail:
    """Reads what writers append, from a position that `position_file` keeps over restarts (None: in memory only).

    `read` moves the position in memory, `commit` makes it durable: whoever puts what was read before committing has
    every record exactly once in effect, because the ledger's puts are idempotent.
    """

    def __init__(self, folder: Path, position_file: Path | None = None) -> None:
        self._folder = folder
        self._position_file = position_file
        self._positions: dict[str, int] = {}
        if position_file is not None and position_file.exists():
            self._positions = wire.loads(position_file.read_bytes())
        self._committed = dict(self._positions)

    @property
    def positions(self) -> dict[str, int]:
        """How far each segment was read, for whoever keeps that beside what was made of it."""
        return dict(self._positions)

    def resume(self, positions: dict[str, int]) -> None:
        """Go on from what `positions` told before."""
        self._positions = dict(positions)

    def read(self, limit: int = 1000) -> list[Record]:
        """The next records, at most `limit`, oldest segment first; empty when there are none yet."""
        records: list[Record] = []
        for segment in self.segments():
            position = self._positions.get(segment.name, 0)
            if _size(segment) <= position:
                continue
            with _opened(segment) as file:
                for line, end in _lines(file, position):
                    self._positions[segment.name] = end
                    record = _record(line)
                    if record is not None:
                        records.append(record)
                        if len(records) == limit:
                            return records
        return records

    def commit(self) -> None:
        """Remember what was read; call it when the records are where they should be."""
        alive = {segment.name for segment in self.segments()}
        self._positions = {name: position for name, position in self._positions.items() if name in alive}
        if self._position_file is not None and self._positions != self._committed:
            draft = self._position_file.with_suffix(".tmp")
            with open(draft, "wb") as file:
                file.write(wire.dumps(self._positions))
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, self._position_file)
        self._committed = dict(self._positions)

    def rewind(self) -> None:
        """Read again what was read since the last commit."""
        self._positions = dict(self._committed)

    def skip_to_newest(self, limit: int) -> None:
        """Pass over all but about the newest `limit` records (whole lines, without parsing them)."""
        for segment in reversed(self.segments()):
            start = self._positions.get(segment.name, 0)
            with _opened(segment) as file:
                if limit <= 0:
                    self._positions[segment.name] = max(start, _size(segment))
                    continue
                ends = [end for _, end in _lines(file, start)]
            if len(ends) > limit:
                self._positions[segment.name] = ends[-limit - 1]
            limit -= len(ends)

    def unread_bytes(self) -> int:
        return sum(max(0, _size(segment) - self._positions.get(segment.name, 0)) for segment in self.segments())

    def segments(self) -> list[Path]:
        """Oldest first."""
        if not self._folder.is_dir():
            return []
        return sorted(self._folder.glob(f"*{_SUFFIX}"))

    def prune(self, before_day: str) -> list[Path]:
        """Delete the segments of days before `before_day` (YYYY-MM-DD) and return them."""
        old = [segment for segment in self.segments() if segment.name[:10] < before_day]
        for segment in old:
            segment.unlink(missing_ok=True)
        return old


def pump(tail: JournalTail, ledger: Ledger, limit: int = 1000) -> int:
    """Move the journal's next records into the table, and say how many. After StoreUnavailable they are still next."""
    records = tail.read(limit)
    try:
        ledger.put_batch(records)
    except StoreUnavailable:
        tail.rewind()
        raise
    tail.commit()
    return len(records)


def _lines(file: BinaryIO, position: int) -> Iterator[tuple[bytes, int]]:
    """Complete lines from `position`, each with the position after it; what a writer has not ended yet is left."""
    file.seek(position)
    rest = b""
    while chunk := file.read(_READ_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            position += len(line) + 1
            yield line, position


def _record(line: bytes) -> Record | None:
    """None for a torn line: its writer never said that the record was written."""
    try:
        return read_record(line)
    except (ValueError, TypeError):
        return None


def _opened(segment: Path) -> BinaryIO:
    return open(segment, "rb")


def _size(segment: Path) -> int:
    return segment.stat().st_size
