"""Make days of the roll-ups anew from the ledger: `python -m infra.rebuild_rollups 2026-11-01 2026-11-07`.

With `--table-prefix` those of a deployment, by your AWS credentials and while it runs: days that are over for two days.
Without it those of this machine's gateway, from its journal, while it stands still. The ledger must have them whole.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path

from infra.local.__main__ import load_env_file
from shared.errors import GatewayError
from shared.gateway.records import Record
from shared.settings import Settings, SettingsError, read_settings
from shared.store.journal import JournalTail
from shared.store.rollup_rebuild import check_kept, check_settled, rebuild_day, records_of_day
from shared.store.rollups import RollupStore, moment_of

_COUNTED_AT_ONCE = 500


def rebuild(store: RollupStore, days: Iterable[date], records: Callable[[date], Iterable[Record]]) -> None:
    for day in days:
        wrong = rebuild_day(store, day, records(day))
        print(f"{day}: {f'{wrong} packs were wrong' if wrong else 'all is well'}")  # noqa: T201


def rebuild_deployment(prefix: str, region: str, chosen: Settings, days: list[date]) -> None:
    """Raises GatewayError."""
    from shared.store.ledger import Ledger
    from shared.store.rollup_table import RollupTable
    from shared.store.tables import Tables

    tables = Tables(prefix, region=region, endpoint=chosen.dynamodb_url)
    ledger = Ledger(tables, keep_days=chosen.ledger_ttl_days)
    for day in days:
        check_kept(day, keep_days=chosen.ledger_ttl_days, now=time.time())
        check_settled(day, now=time.time())
    rebuild(RollupTable(tables), days, lambda day: records_of_day(ledger, day))


def rebuild_here(data_dir: Path, chosen: Settings, days: list[date]) -> None:
    """The journal is counted to its end first, so that nothing of it is counted once more afterwards. Raises
    DataDirTaken while the gateway runs."""
    from infra.local.rollup_feed import EngineRollups, RollupFeed
    from infra.local.store_process import lock, open_engine, store_tables

    for day in days:
        check_kept(day, keep_days=chosen.ledger_ttl_days, now=time.time())
    name = store_tables(chosen).rollups.Meta.table_name
    with lock(data_dir):
        engine = open_engine(data_dir, chosen)
        try:
            store = EngineRollups(engine, name)
            feed = RollupFeed(JournalTail(data_dir / "ledger"), store)
            while feed.is_behind:
                feed.take(_COUNTED_AT_ONCE)
            rebuild(store, days, lambda day: _of_day(JournalTail(data_dir / "ledger"), day))
        finally:
            engine.close()


def _of_day(journal: JournalTail, day: date) -> Iterator[Record]:
    while records := journal.read(_COUNTED_AT_ONCE):
        yield from (record for record in records if moment_of(record.time_ms).startswith(f"{day}"))


def main(arguments: list[str] | None = None) -> int:
    from infra.local.store_disk import DamagedFile
    from infra.local.store_process import DataDirTaken

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=date.fromisoformat, help="the first day in UTC, as in 2026-11-01")
    parser.add_argument("last", type=date.fromisoformat, nargs="?", help="the last one; default: the first")
    parser.add_argument("--table-prefix", help="a deployment's TABLE_PREFIX, as in serverless-proxy-prod")
    parser.add_argument("--region", help="for --table-prefix; default: AWS_REGION")
    told = parser.parse_args(arguments)
    last = told.last or told.first
    days = [told.first + timedelta(days=number) for number in range((last - told.first).days + 1)]
    load_env_file(Path(".env"))
    try:
        chosen = read_settings(os.environ)
        if told.table_prefix:
            rebuild_deployment(told.table_prefix, told.region or chosen.region, chosen, days)
        else:
            rebuild_here(chosen.data_dir, chosen, days)
    except (SettingsError, DataDirTaken, DamagedFile) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    except GatewayError as error:
        print(error.message, file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
