"""The upstream client's tests run on both event loops: asyncio's on Lambda, uvloop's on the laptop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if item.nodeid.startswith("tests/providers/test_upstream.py"):
        loops["uvloop"] = uvloop.new_event_loop
    return loops
