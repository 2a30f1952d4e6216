"""Log records as lines: JSON for machines, or text for whoever sits at the laptop; each with its request's id."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

from shared.wire import JsonObject, dumps

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The request that the running task serves; tasks and threads that it starts inherit it."""

_QUIETER = ("botocore", "pynamodb", "asyncio", "urllib3", "uvicorn", "uvicorn.error")


class _Seconds:
    """Writes a second the way `write` does, and each second once."""

    def __init__(self, write: Callable[[int], str]) -> None:
        self._write = write
        self._last = (-1, "")

    def __call__(self, second: int) -> str:
        known, text = self._last
        if second != known:
            text = self._write(second)
            self._last = (second, text)
        return text


class JsonLine(logging.Formatter):
    """One line of JSON, as CloudWatch wants it, a traceback included. A record's `fields` stand in place of words."""

    def __init__(self) -> None:
        super().__init__()
        self._second = _Seconds(lambda second: datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S"))

    def format(self, record: logging.LogRecord) -> str:
        line: JsonObject = {"timestamp": self._time(record), "level": record.levelname, "logger": record.name}
        if request_id := _request_id(record):
            line["request_id"] = request_id
        fields: JsonObject | None = getattr(record, "fields", None)
        if fields is None:
            line["message"] = record.getMessage()
        else:
            line |= fields
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return dumps(line).decode()

    def _time(self, record: logging.LogRecord) -> str:
        second, milliseconds = divmod(int(record.created * 1_000), 1_000)
        return f"{self._second(second)}.{milliseconds:03d}Z"


class TextLine(logging.Formatter):
    """A line for people."""

    def __init__(self) -> None:
        super().__init__()
        self._second = _Seconds(lambda second: time.strftime("%H:%M:%S", time.localtime(second)))

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = f"{self._second(int(record.created))} {record.levelname:<7} {record.name}: {record.message}"
        request_id = _request_id(record)
        return f"{line} [{request_id}]" if request_id else line


class _Sink(logging.StreamHandler[TextIO]):
    """Standard error, which flushes itself behind every line."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.stream.write(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - as every handler does: a line must not break what it tells of
            self.handleError(record)


def log_to_stderr(level: str, *, as_json: bool) -> None:
    # none of these is shown, and to find them out takes a third of a record's time
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    setattr(logging, "logAsyncioTasks", False)  # noqa: B010 - since Python 3.12
    sink = _Sink(sys.stderr)
    sink.setFormatter(JsonLine() if as_json else TextLine())
    logging.basicConfig(level=level, handlers=[sink], force=True)
    for name in _QUIETER:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def _request_id(record: logging.LogRecord) -> str:
    return getattr(record, "request_id", "") or REQUEST_ID.get()
