"""Lambda's handler for the ledger's stream.

Composed here and not in `shared/web/wiring.py`, which imports all that answers clients.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from functions.usage_rollup.stream import count_batch
from shared.settings import read_settings
from shared.store.rollup_table import RollupTable
from shared.store.tables import Tables


@cache
def _store() -> RollupTable:
    chosen = read_settings(os.environ)
    return RollupTable(Tables(chosen.table_prefix, region=chosen.region, endpoint=chosen.dynamodb_url))


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return count_batch(event, _store())
