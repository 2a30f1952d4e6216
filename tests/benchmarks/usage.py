"""The dashboard's questions over a year of roll-ups for 200 models and 1,000 keys, asked of the laptop's tables.

    python -m tests.benchmarks.usage

Each key uses five models a day and ten a month; a third of the keys and of the models are used in each half-hour, all
of them every day. The year is written straight into the tables' file, and asked through the admin app over HTTP to the
store's own process.
"""

from __future__ import annotations

import base64
import hashlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from functions.admin_usage.usage import PATH, admin_usage_app
from infra.local.store_disk import RedoFile
from shared import wire
from shared.garbage import loading
from shared.store.counters import FIELDS, TTFT_CLASSES, Counters
from shared.store.key_labels import KeyLabels
from shared.store.rollup_packs import Cells, pack
from shared.store.rollup_reader import RollupReader
from shared.store.rollups import (
    DAY,
    ENDPOINT,
    KEY,
    KINDS,
    MODEL,
    MONTH,
    PAIR,
    SLOT,
    Kind,
    Level,
    place_at,
    shards_of,
)
from shared.store.tables import Tables
from shared.web.admin_access import OpenAccess

MODELS = [f"model-{number:03d}" for number in range(200)]
KEYS = [hashlib.md5(bytes([number % 256, number // 256])).hexdigest() for number in range(1_000)]  # noqa: S324
ENDPOINTS = [f"{number}|endpoint-{number}" for number in range(20)]
COLUMN_OF = {model: {shard % PAIR.by_model for shard in shards_of(PAIR, None, model)} for model in MODELS}
READ = {*shards_of(PAIR, KEYS[7], None), *shards_of(PAIR, None, MODELS[7])}
END = datetime(2026, 11, 20, 17, 30, tzinfo=UTC)
BEGIN = END - timedelta(days=365)
NOW = int(END.timestamp()) + 600
BUDGET_MS = 300
_PREFIX = "bench"
_ROUNDS = 9

YEAR = {"start_date": int(BEGIN.timestamp()), "end_date": NOW}
MONTH_BACK = {"start_date": NOW - 30 * 86_400, "end_date": NOW}
DAY_BACK = {"start_date": NOW - 86_400, "end_date": NOW}
QUESTIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("a year: sum, and its first 31 days by model", "", YEAR),
    ("30 days by day and model, UTC", "", MONTH_BACK),
    ("30 days by day and model, Berlin", "", MONTH_BACK | {"timezone": "Europe/Berlin"}),
    ("30 days by day and model, New York", "", MONTH_BACK | {"timezone": "America/New_York"}),
    ("30 days by day and model, Sao Paulo", "", MONTH_BACK | {"timezone": "America/Sao_Paulo"}),
    ("30 days by day and model, Kolkata", "", MONTH_BACK | {"timezone": "Asia/Kolkata"}),
    ("30 days by day and model, Auckland", "", MONTH_BACK | {"timezone": "Pacific/Auckland"}),
    ("30 days by day and model, Honolulu", "", MONTH_BACK | {"timezone": "Pacific/Honolulu"}),
    ("30 days of one model", "", MONTH_BACK | {"virtual_model": MODELS[7]}),
    ("30 days of one key", "", MONTH_BACK | {"key_id": KEYS[7]}),
    ("a year by model", "/by_model", YEAR),
    ("a year by endpoint", "/by_endpoint", YEAR),
    ("a year by key", "/by_key", YEAR),
    ("30 days by key", "/by_key", MONTH_BACK),
    ("a day by key", "/by_key", DAY_BACK),
    ("a year of one key by model", "/by_model", YEAR | {"key_id": KEYS[7]}),
    ("a year of one model by key", "/by_key", YEAR | {"virtual_model": MODELS[7]}),
    ("30 days of one model by key", "/by_key", MONTH_BACK | {"virtual_model": MODELS[7]}),
    ("a year of one key and model", "/by_key", YEAR | {"key_id": KEYS[7], "virtual_model": MODELS[7]}),
    ("a week by hour", "/by_hour", {"start_date": NOW - 7 * 86_400, "end_date": NOW}),
    ("a year of embeddings", "/embeddings", YEAR),
)


def fill(folder: Path) -> None:
    """The file that the store would have written. Packs of one kind and level differ only in their numbers' places."""
    file = RedoFile(folder / "rollups")
    chance = random.Random(3)
    name = f"{_PREFIX}-rollups"
    keys = {"dimension": "HASH", "moment": "RANGE"}
    table = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys],
        "KeySchema": [{"AttributeName": key, "KeyType": role} for key, role in keys.items()],
    }
    file.append([["create", table]])
    for level, moments in ((SLOT, _moments(timedelta(minutes=30))), (DAY, _moments(timedelta(days=1)))):
        _write(file, name, level, moments, chance)
    _write(file, name, MONTH, sorted({moment[:7] for moment in _moments(timedelta(days=1))}), chance)
    file.close()


def _moments(step: timedelta) -> list[str]:
    count = int((END - BEGIN) / step)
    return [(BEGIN + step * number).strftime("%Y-%m-%dT%H:%M") for number in range(count + 1)]


def _write(file: RedoFile, name: str, level: Level, moments: list[str], chance: random.Random) -> None:
    packs = [(kind, shard, [_packed(kind, shard, level, chance) for _ in range(5)]) for kind, shard in _shards()]
    for moment in moments:
        changes: list[Any] = []
        for kind, shard, some in packs:
            if level is SLOT and kind is PAIR and shard not in READ:
                continue  # a gigabyte that no question reads
            place = place_at(level, kind, shard, moment)
            item = {
                "dimension": {"S": place.dimension},
                "moment": {"S": place.moment},
                "version": {"N": "9"},
                "content": {"B": chance.choice(some)},
            }
            changes.append(["put", name, item])
        file.append(changes)


def _shards() -> Iterator[tuple[Kind, int]]:
    for kind in KINDS:
        for shard in range(kind.shards):
            yield kind, shard


def _packed(kind: Kind, shard: int, level: Level, chance: random.Random) -> str:
    cells: Cells = {name: _row(kind, level, chance) for name in _names(kind, level, chance, shard)}
    return base64.b64encode(pack(cells)).decode()


def _names(kind: Kind, level: Level, chance: random.Random, shard: int) -> list[str]:
    if kind is MODEL:
        return [
            f"chat|{model}"
            for model in MODELS
            if shard in shards_of(kind, None, model) and (level is not SLOT or chance.random() < 1 / 3)
        ]
    if kind is ENDPOINT:
        return [f"chat|{endpoint}" for endpoint in ENDPOINTS]
    if kind in (KEY, PAIR):
        row, column = divmod(shard, kind.by_model)
        keys = [
            key
            for key in KEYS
            if shards_of(kind, key, None)[0] // kind.by_model == row and (level is not SLOT or chance.random() < 1 / 3)
        ]
        if kind is KEY:
            return [f"chat|{key}" for key in keys]
        count = {SLOT: 2, DAY: 5, MONTH: 10}[level]
        chosen = [(key, model) for key in keys for model in chance.sample(MODELS, count)]
        return [f"chat|{key}|{model}" for key, model in chosen if column in COLUMN_OF[model]]
    return ["chat", "embedding"]


def _row(kind: Kind, level: Level, chance: random.Random) -> Counters:
    """A day's is more than the half-hours that may be taken out of it, a month's more than the days."""
    least = {SLOT: 0, DAY: 2 * 10**8, MONTH: 10**10}[level]
    row = [least + chance.randrange(10 ** chance.randrange(1, 8)) for _ in FIELDS]
    usual = chance.randrange(TTFT_CLASSES)
    classes = [least // 10**5 + chance.randrange(100) * (abs(n - usual) < 4) for n in range(TTFT_CLASSES)]
    return row + (classes if kind.has_ttft else [])


def measure(folder: Path) -> list[tuple[str, float, float, float, int, int]]:
    """Each question with its least CPU, best and median time in ms, its reads of the table, its answer's bytes."""
    began = time.monotonic()
    fill(folder)
    print(f"written in {time.monotonic() - began:.0f} s", file=sys.stderr)
    store = subprocess.Popen(
        [sys.executable, "-m", "infra.local.store_process", "--leash", "--data-dir", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TABLE_PREFIX": _PREFIX},
    )
    try:
        assert store.stdout is not None
        line = store.stdout.readline()
        print(f"{line.strip()} after {time.monotonic() - began:.0f} s", file=sys.stderr)
        os.environ |= {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
        tables = Tables(_PREFIX, region="us-east-1", endpoint=line.split()[-1])
        reader = RollupReader(tables, now=lambda: NOW)
        with loading():  # as on Lambda and on the laptop
            served = admin_usage_app(reader, KeyLabels(tables), OpenAccess(), now=lambda: NOW)
        app = TestClient(served, base_url="http://127.0.0.1:5001")
        return [(what, *_asked(app, reader, path, parameters)) for what, path, parameters in QUESTIONS]
    finally:
        store.terminate()
        store.wait(20)


def _asked(
    app: TestClient, reader: RollupReader, path: str, parameters: dict[str, Any]
) -> tuple[float, float, float, int, int]:
    took, worked, size, before = [], [], 0, reader.reads
    for _ in range(_ROUNDS):
        began, work = time.perf_counter(), time.process_time()
        answer = app.get(PATH + path, params=parameters)
        took.append((time.perf_counter() - began) * 1e3)
        worked.append((time.process_time() - work) * 1e3)
        assert answer.status_code == 200, answer.text
        assert wire.loads(answer.content)
        size = len(answer.content)
    return min(worked), min(took), statistics.median(took), (reader.reads - before) // _ROUNDS, size


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder))
    print(f"load {os.getloadavg()[0]:.1f}, budget {BUDGET_MS} ms\n")
    print("| question, over a year of 200 models and 1,000 keys | CPU ms | best ms | median ms | reads | answer KB |")
    print("|---|--:|--:|--:|--:|--:|")
    for what, work, best, median, queries, size in rows:
        print(f"| {what} | {work:.0f} | {best:.0f} | {median:.0f} | {queries} | {size / 1e3:.0f} |")


if __name__ == "__main__":
    main()
