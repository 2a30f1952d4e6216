"""Log records as lines: JSON for machines, or text for whoever sits at the laptop; each with its request's id."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

from shared.wire import JsonObject, dumps

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The request that the running task serves; tasks and threads that it starts inherit it."""

_QUIETER = ("botocore", "pynamodb", "asyncio", "urllib3", "uvicorn", "uvicorn.error")


class JsonLine(logging.Formatter):
    """One line of JSON, as CloudWatch wants it, a traceback included. A record's `fields` stand in place of words."""

    def __init__(self) -> None:
        super().__init__()
        self._second = (0, "")

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
        if self._second[0] != second:
            self._second = (second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S"))
        return f"{self._second[1]}.{milliseconds:03d}Z"


class TextLine(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", datefmt="%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        request_id = _request_id(record)
        return f"{line} [{request_id}]" if request_id else line


def log_to_stderr(level: str, *, as_json: bool) -> None:
    # none of these is shown, and to find them out takes a third of a record's time
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    setattr(logging, "logAsyncioTasks", False)  # noqa: B010 - since Python 3.12
    sink = logging.StreamHandler(sys.stderr)
    sink.setFormatter(JsonLine() if as_json else TextLine())
    logging.basicConfig(level=level, handlers=[sink], force=True)
    for name in _QUIETER:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def _request_id(record: logging.LogRecord) -> str:
    return getattr(record, "request_id", "") or REQUEST_ID.get()
