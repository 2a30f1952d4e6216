"""What a cold start imports: CPU time in fresh interpreters with compiled files, and the heaviest packages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.benchmarks.processes import ROOT

FUNCTIONS = sorted(
    path.parent.name
    for path in (ROOT / "functions").glob("*/app.py")
    if not path.parent.name.startswith(("admin_", "usage_"))
)
# what the first request imports beside the app: the store with its AWS client, the upstream client, one adapter
FIRST_REQUEST = """
from shared.web import wiring
wiring.gateway(); wiring.tables().connect(); wiring.adapters()["openai"]
"""
_LINE = re.compile(r"import time: +(\d+) \| +\d+ \| +(\S+)")


def cpu_ms(code: str, folder: Path, times: int) -> float:
    """The best of `times` runs of `code`, interpreter included."""
    best = float("inf")
    for _ in range(times + 1):  # the first one compiles
        before = os.times()
        _run(code, folder)
        after = os.times()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        best = min(best, spent * 1_000)
    return best


def heaviest(code: str, folder: Path, count: int = 12) -> list[tuple[str, float]]:
    """Packages by the time (ms) that their own modules took, what they import not counted."""
    spent: Counter[str] = Counter()
    for own, module in _LINE.findall(_run(code, folder, "-X", "importtime")):
        spent[_package(module)] += int(own)
    return [(package, micros / 1_000) for package, micros in spent.most_common(count)]


def _package(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "shared" else parts[0]


def _run(code: str, folder: Path, *options: str) -> str:
    environment = {
        **os.environ,
        "PYTHONPYCACHEPREFIX": str(folder / "pycache"),
        "DATA_DIR": str(folder),
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_REGION": "us-east-1",
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, *options, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stderr
