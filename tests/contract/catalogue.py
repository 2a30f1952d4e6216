"""The endpoints and virtual models that the contract suite runs on, as an administrator would post them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UPSTREAM_KEY = "sk-upstream-2f8a61c07e4b4d8f"
BACKUP_KEY = "backup-key-93be5f0c2d7a4e11"

# `url` is a template over the addresses that the tests know
ENDPOINTS: Mapping[str, Mapping[str, Any]] = {
    "main": {"url": "{upstream}", "api_key": UPSTREAM_KEY, "priority": 50},
    "main-v1": {"url": "{upstream}/v1/", "api_key": UPSTREAM_KEY, "priority": 50},
    "backup": {"url": "{backup}", "api_key": BACKUP_KEY, "priority": 10},
    "dead": {"url": "http://127.0.0.1:{closed_port}", "api_key": UPSTREAM_KEY, "priority": 90},
    "off": {"url": "{upstream}", "priority": 95, "enabled": False},
    "together": {"url": "{upstream}", "endpoint_type": "together"},
    "webui": {"url": "{upstream}", "endpoint_type": "openwebui", "api_key": UPSTREAM_KEY},
    "demo": {"url": "", "endpoint_type": "demo", "options": {"delay_ms": 0}},
}


def on(*endpoints: str, **fields: Any) -> dict[str, Any]:
    return {"endpoints": endpoints, **fields}


# every virtual model's actual name is `actual-` and its own name, wherever it goes
MODELS: Mapping[str, Mapping[str, Any]] = {
    "chat": on("main"),
    "chat-v1": on("main-v1"),
    "words": on("main"),  # legacy completions
    "words-unserved": on("main"),  # its backend turns out not to serve legacy completions
    "words-unserved-n": on("main"),
    "words-unserved-tokens": on("main"),
    "words-webui": on("webui"),
    "usage-refused": on("main"),
    "embedder": on("main"),
    "together": on("together"),
    "webui": on("webui"),
    "demo": on("demo"),
    "two": on("backup", "main"),  # the order of the targets is not that of the priorities
    "first-dead": on("dead", "main", "backup"),
    "first-off": on("off", "main"),
    "all-dead": on("dead"),
    "all-off": on("off"),
    "disabled": on("main", enabled=False),
    "defaults": on("main", max_tokens=17, temperature=0, top_p=0.5),
    "system-prompt": on("main", system_prompt="You are terse."),
    "headers": on("main", custom_headers={"X-Team": "blue", "HTTP-Referer": "http://example.test"}),
    "whole-upstream": on("main", disable_streaming=True),
    "whole-downstream": on("main", force_non_streaming=True),
    "no-reasoning": on("main", show_reasoning=False),
    "named-twice": on("main", aliases=["other-name"]),
}


def actual(model: str) -> str:
    return f"actual-{model}"
