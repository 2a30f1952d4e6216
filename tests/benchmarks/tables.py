"""moto's DynamoDB with a counter before it: what was really asked of the tables, by operation (`GET /counts`)."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any

import orjson
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tests.benchmarks.processes import announce, pin


class Counting:
    def __init__(self) -> None:
        self._tables = DomainDispatcherApplication(create_backend_app)
        self._counts: Counter[str] = Counter()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/counts":
            start_response("200 OK", [("content-type", "application/json")])
            return [orjson.dumps(self._counts)]
        self._counts[environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]] += 1
        answer: Iterable[bytes] = self._tables(environ, start_response)
        return answer


if __name__ == "__main__":
    pin(sys.argv[1])
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, Counting(), threaded=True)
    announce(server.server_port)
    server.serve_forever()
