"""A batch of the ledger's stream: read, counted once, and what cannot be read named so that it is set aside."""

from __future__ import annotations

import logging
from typing import Any

from shared.store.ledger import DAYS_BUCKET, read_record
from shared.store.rollups import Delivery, RollupStore, check_countable, count_once

log = logging.getLogger(__name__)


def count_batch(event: dict[str, Any], store: RollupStore) -> dict[str, Any]:
    """Count every record that can be read; `batchItemFailures` names the first that cannot.

    Lambda goes on from there: it halves what is left until the record is alone, tries it some times more and puts it
    into the dead-letter queue. Records behind it are delivered again meanwhile, which changes nothing. Raises
    StoreUnavailable; then the whole batch is delivered again.
    """
    deliveries: list[Delivery] = []
    failures: list[dict[str, str]] = []
    for change in event["Records"]:
        number = change["dynamodb"]["SequenceNumber"]
        try:
            delivery = _delivery(change)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError) as failure:
            log.error("ledger record %s cannot be counted (%s)", number, type(failure).__name__)
            failures.append({"itemIdentifier": number})
        else:
            if delivery is not None:
                deliveries.append(delivery)
    fresh = count_once(store, deliveries)
    log.info("%d of %d records of the ledger counted", fresh, len(event["Records"]))
    return {"batchItemFailures": failures}


def _delivery(change: dict[str, Any]) -> Delivery | None:
    """None for what is no record: the item of a day, or a change of an item that was there before."""
    if change["eventName"] != "INSERT":
        return None
    told = change["dynamodb"]
    if told["Keys"]["bucket"]["S"] == DAYS_BUCKET:
        return None
    record = read_record(told["NewImage"]["document"]["S"])
    check_countable(record)
    return Delivery(record, int(told["ApproximateCreationDateTime"]))
