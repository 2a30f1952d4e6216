"""What administrators may set beside endpoints and models; None leaves it to the environment, or to our default."""

from __future__ import annotations

from typing import NamedTuple


class StoredSettings(NamedTuple):
    """`display_timezone` is the dashboard's; the others decide on the data path."""

    use_ai_queue: bool | None = None  # send everything through the queue server
    ai_queue_url: str | None = None
    ai_queue_priority: str | None = None  # HIGH, NORMAL or LOW
    ai_queue_source: str | None = None
    budget_output_tokens: int | None = None  # of an answer that nothing else limits, for keys with a budget
    display_timezone: str | None = None


NOTHING_SET = StoredSettings()
