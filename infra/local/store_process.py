"""The laptop's AWS: moto's DynamoDB on loopback, with a disk under it, for all processes of the gateway.

    python -m infra.local.store_process --port 4566 --data-dir .data

`--port 0` takes a free one. The line `store ready on …` says that every table is loaded and answers.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from infra.local.leash import follow_parent
from infra.local.ledger_feed import LedgerFeed
from infra.local.rollup_feed import EngineRollups, RollupFeed
from infra.local.serving import PortTaken, bind, server
from infra.local.store_disk import DamagedFile, RedoFile
from infra.local.store_engine import Engine
from infra.local.store_server import StoreServer
from shared.settings import Settings, SettingsError, read_settings
from shared.store.journal import JournalTail
from shared.store.ledger import Ledger
from shared.store.tables import Tables
from shared.web.log_lines import log_to_stderr

_LOCK_SECONDS = 3.0  # a store whose parent was killed needs a moment to follow it


class DataDirTaken(Exception):
    """The message is one line that names the process and the way out."""


def lock(data_dir: Path) -> IO[str]:
    """Hold the data folder until the process ends, however it ends. Raises DataDirTaken."""
    data_dir.mkdir(parents=True, exist_ok=True)
    file = open(data_dir / "store.lock", "a+")  # noqa: SIM115 - it is the lock, and stays open
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            file.seek(0)
            holder = file.read().strip() or "?"
            file.close()
            raise DataDirTaken(
                f"DATA_DIR: {data_dir} is in use by process {holder}; stop it or choose another folder"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        return file


def store_tables(chosen: Settings) -> Tables:
    """They only say what an item looks like here: the address is never used."""
    return Tables(chosen.table_prefix, region=chosen.region, endpoint="http://127.0.0.1:9")


def open_engine(data_dir: Path, chosen: Settings) -> Engine:
    """The tables of a folder that is locked. Raises DamagedFile."""
    tables = store_tables(chosen)
    engine = Engine(
        RedoFile(data_dir / "tables"),
        volatile=frozenset({tables.ledger.Meta.table_name}),
        apart={
            tables.rollups.Meta.table_name: RedoFile(data_dir / "rollups"),
            tables.limits.Meta.table_name: RedoFile(data_dir / "limits"),
        },
    )
    for name, keys in tables.key_names().items():
        engine.ensure_table(name, *keys)
    return engine


async def serve(port: int, data_dir: Path, chosen: Settings) -> None:
    tables, engine = store_tables(chosen), open_engine(data_dir, chosen)
    feed = LedgerFeed(
        JournalTail(data_dir / "ledger"),
        Ledger(tables, keep_days=chosen.ledger_ttl_days),
        engine.table(tables.ledger.Meta.table_name),
        RollupFeed(JournalTail(data_dir / "ledger"), EngineRollups(engine, tables.rollups.Meta.table_name)),
        keep_records=chosen.ledger_local_records,
        keep_days=chosen.ledger_ttl_days,
    )
    listener = bind("127.0.0.1", port, "--port")
    feeding = asyncio.create_task(feed.run())
    feeding.add_done_callback(_end_with_feed)
    print(f"store ready on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201
    try:
        await server(StoreServer(engine)).serve(sockets=[listener])
    finally:
        feeding.cancel()
        with suppress(asyncio.CancelledError):
            await feeding
        engine.close()


def _end_with_feed(feeding: asyncio.Task[None]) -> None:
    """A store that no longer reads the journal would show an old ledger as if it were the newest."""
    if not feeding.cancelled() and feeding.exception() is not None:
        os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--leash", action="store_true", help="end when standard input ends")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn stops first, and then raises it again
    try:
        chosen = read_settings(os.environ)
        log_to_stderr(chosen.log_level, as_json=chosen.log_format == "json")
        if arguments.leash:
            follow_parent()
        with lock(arguments.data_dir):
            asyncio.run(serve(arguments.port, arguments.data_dir, chosen))
    except (SettingsError, DataDirTaken, PortTaken, DamagedFile) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
