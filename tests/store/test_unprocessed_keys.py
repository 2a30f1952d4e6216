"""Tables that give only some of what they are asked for at once: the rest is asked for again, and added up once."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from shared.errors import StoreUnavailable
from shared.store import rollup_reader
from shared.store.counters import PLACE, total
from shared.store.rollup_reader import RollupReader
from shared.store.rollup_table import RollupTable
from shared.store.rollups import DAY, KINDS, PAIR, Delivery, Place, count_once, place_at
from shared.store.tables import Patience, Tables
from shared.web.usage_range import Span
from tests.store.test_ledger import DAY as DAY_MS
from tests.store.test_ledger import NOON, a_record

DAYS = 5
NOW = NOON / 1000 + 60
FIRST = (NOON // DAY_MS - DAYS + 1) * DAY_MS // 1000
RECORDS = [
    a_record(
        request_id=f"r{number}",
        time_ms=NOON - number % DAYS * DAY_MS,
        virtual_model=f"m{number % 9}",
        key_id=f"k{number % 7}",
        input_tokens=1 << number % 40,
    )
    for number in range(40)
]


class Sparing:
    """moto's DynamoDB, of whose n-th BatchGetItem only `most[n]` keys are done; the rest come back unprocessed."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self.most: list[int] = []
        self.asked: list[int] = []
        self.is_empty_handed = False

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not environ.get("HTTP_X_AMZ_TARGET", "").endswith(".BatchGetItem"):
            return self._moto(environ, start_response)
        body = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        [(table, wanted)] = body["RequestItems"].items()
        keys = wanted["Keys"]
        self.asked.append(len(keys))
        most = 0 if self.is_empty_handed else self.most.pop(0) if self.most else len(keys)
        left = {table: {**wanted, "Keys": keys[most:]}} if keys[most:] else {}
        given: dict[str, Any] = {"Responses": {table: []}}
        if keys[:most]:
            body["RequestItems"][table]["Keys"] = keys[:most]
            raw = json.dumps(body).encode()
            inner = {**environ, "wsgi.input": io.BytesIO(raw), "CONTENT_LENGTH": str(len(raw))}
            given = json.loads(b"".join(self._moto(inner, lambda *_: None)))
        answer = json.dumps({**given, "UnprocessedKeys": left}).encode()
        start_response("200 OK", [("content-type", "application/x-amz-json-1.0"), ("content-length", f"{len(answer)}")])
        return [answer]


class Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Requests are no news."""


@pytest.fixture(scope="module")
def sparing() -> Iterator[tuple[Sparing, Tables]]:
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "test")
        front = Sparing()
        server = make_server("127.0.0.1", 0, front, request_handler=Quiet)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        try:
            tables = Tables("unprocessed", region="eu-central-1", endpoint=url, patience=Patience(5, 5, 0))
            tables.create_missing()
            assert count_once(RollupTable(tables), [Delivery(each, each.time_ms // 1000) for each in RECORDS]) == 40
            yield front, tables
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture
def front(sparing: tuple[Sparing, Tables]) -> Sparing:
    found = sparing[0]
    found.most, found.asked, found.is_empty_handed = [], [], False
    return found


@pytest.mark.parametrize("most", [[1, 2, 3], [0, 0, 50], [99, 1, 0, 7], [99] * 4])
def test_what_was_left_is_asked_for_again(sparing: tuple[Sparing, Tables], front: Sparing, most: list[int]) -> None:
    front.most = most
    reader = RollupReader(sparing[1], now=lambda: NOW)
    spans = [Span("", FIRST + day * 86_400, FIRST + (day + 1) * 86_400) for day in range(DAYS)]
    found = reader.by_span(PAIR, spans)
    assert len(front.asked) >= reader.reads + len(most) - most.count(99)
    for number, cells in enumerate(found):
        records = [each for each in RECORDS if each.time_ms // DAY_MS == NOON // DAY_MS - DAYS + 1 + number]
        row = total(cells.values())
        assert row[PLACE["attempts"]] == len(records) == 8
        assert row[PLACE["input_tokens"]] == sum(each.input_tokens for each in records)


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_sums_of_every_kind_are_whole(sparing: tuple[Sparing, Tables], front: Sparing, kind: Any) -> None:
    front.most = [1, 0, 2]
    cells = RollupReader(sparing[1], now=lambda: NOW).sums(kind, FIRST, FIRST + (DAYS - 1) * 86_400 + 43_200)
    early = [each for each in RECORDS if each.time_ms < NOON]
    row = total(cells.values())
    assert row[PLACE["attempts"]] == len(early)
    assert row[PLACE["input_tokens"]] == sum(each.input_tokens for each in early)


def test_a_table_that_gives_nothing_is_unavailable(
    sparing: tuple[Sparing, Tables], front: Sparing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup_reader, "_TURNS", 4)
    front.is_empty_handed = True
    with pytest.raises(StoreUnavailable, match="try again"):
        RollupReader(sparing[1], now=lambda: NOW).sums(PAIR, FIRST, FIRST + 86_400, key="k1", model="m1")
    assert len(front.asked) == 4


def test_a_writer_reads_what_was_left_before_it_adds_to_it(sparing: tuple[Sparing, Tables], front: Sparing) -> None:
    """A pack that was not given is not a pack that is not there."""
    places = [place_at(DAY, kind, shard, "2025-11-22") for kind in KINDS for shard in range(kind.shards)]
    store = RollupTable(sparing[1])
    whole = store.read(places)
    front.most = [1, 3, 0, 5]
    assert store.read([*places, Place("day#none", "2025-11-22")]) == whole
    assert len(whole) > 10
