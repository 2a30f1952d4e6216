"""Log records as CloudWatch wants them: each one line of JSON, a traceback included."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

from shared.wire import JsonObject, dumps

_QUIETER = ("botocore", "pynamodb", "asyncio", "urllib3")


class LogLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: JsonObject = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := getattr(record, "request_id", None):
            line["request_id"] = request_id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return dumps(line).decode()


def log_to_stderr(level: str) -> None:
    sink = logging.StreamHandler(sys.stderr)
    sink.setFormatter(LogLine())
    logging.basicConfig(level=level, handlers=[sink], force=True)
    for name in _QUIETER:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
