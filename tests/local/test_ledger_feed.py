from __future__ import annotations

from infra.local.ledger_feed import ledger_attributes
from shared.store.ledger import Ledger
from shared.store.tables import Tables
from tests.store.test_ledger import a_record


def test_the_feed_makes_the_items_that_the_ledger_makes() -> None:
    ledger = Ledger(Tables("test", region="eu-central-1", endpoint="http://127.0.0.1:9"), keep_days=7)
    record = a_record(user_agent="ü", error_code="upstream_cut", time_to_first_token_ms=3)
    assert ledger_attributes(record, 7) == ledger.item(record).serialize()
