"""The corpus through other projects' parsers and through this engine: right calls, false calls and CPU time.

`.venv/bin/python -m tests.benchmarks.parsers` prints the table; with `--write` it also goes into docs/tool-calls.md.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from shared.chat.events import Finished, TextDelta
from tests.backends.build import NotBuilt
from tests.benchmarks.foreign.environments import PROJECTS, python
from tests.benchmarks.foreign.rows import ROWS, Row
from tests.benchmarks.foreign.score import Score, score, total
from tests.tool_calls import corpus

RUNNERS = Path(__file__).parent / "foreign"
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "tool-calls.md"
BEGIN, END = "<!-- parsers: begin -->", "<!-- parsers: end -->"
SECONDS = 150  # for one project, its import included
WIDTH = 7
PLAIN = frozenset("id why raw tools expect family".split())
TOKENS = re.compile(
    r"<[|｜][^<>|｜\s]{1,40}[|｜]>|<\|[a-z_]+>|<[a-z_]+\|>|<\|\"\|>|\]<\]minimax\[>\["
    r"|</?(?:\w+:)?(?:tool_calls?|think|\w*function_calls?|TOOLCALL|longcat_\w+|arg_key|arg_value)>"
    r"|</?(?:start|end)_function_call>|\[/?(?:TOOL_CALLS|ARGS|CALL_ID|THINK)\]"
)
"""What is one token for the models that write it: no parser is asked to read half of one, except this project's."""


def usable(case: dict[str, Any]) -> bool:
    """Cases that any parser can be asked: plain text, tools declared, nothing switched and nothing cut off."""
    cut = any("cut" in call for call in case["expect"].get("calls", ()))
    return case.keys() <= PLAIN and bool(corpus.tools(case)) and not cut


def pieces(text: str) -> Iterator[str]:
    """At least seven characters each, never ending inside a token."""
    held = ""
    for part in re.split(f"({TOKENS.pattern})", text):
        for unit in [part] if TOKENS.fullmatch(part) else part:
            held += unit
            if len(held) >= WIDTH:
                yield held
                held = ""
    if held:
        yield held


def asked(row: Row) -> list[dict[str, Any]]:
    """The calls of the row's family, and every text that must make no call: its family's and the harmless ones."""
    return [
        case
        for case in corpus.cases()
        if usable(case)
        and (row.claims(case) if case["expect"].get("calls") else case["family"] in (row.family, "harmless"))
    ]


def job(row: Row) -> dict[str, Any]:
    def tool(each: Any) -> dict[str, Any]:
        return {"type": "function", "function": {"name": each.name, "parameters": each.parameters or {}}}

    cases = [
        {
            "id": case["id"],
            "text": case["raw"],
            "pieces": list(pieces(case["raw"])),
            "tools": [tool(each) for each in corpus.tools(case)],
        }
        for case in asked(row)
    ]
    return {"parser": row.parser, "cases": cases}


def foreign(project: str) -> tuple[str, list[dict[str, Any]]]:
    """What happened, if the project could not be asked in full, and its answers."""
    found = PROJECTS[project]
    try:
        interpreter = python(found)
    except (NotBuilt, subprocess.CalledProcessError) as failure:
        return f"not installed: {failure}", []
    with tempfile.TemporaryDirectory() as folder:
        jobs, answers = Path(folder, "jobs.json"), Path(folder, "answers.jsonl")
        jobs.write_text(json.dumps({"tokens": tokens(), "jobs": [job(row) for row in ROWS if row.project == project]}))
        command = [interpreter, RUNNERS / f"{found.runner}.py", jobs, answers]
        try:
            ran = subprocess.run(
                command,
                env=os.environ | found.environment,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            trouble = f"ended with {ran.returncode}: {ran.stderr[-300:]}" if ran.returncode else ""
        except subprocess.TimeoutExpired:
            trouble = f"stopped after {SECONDS} s"
        lines = answers.read_text().splitlines() if answers.exists() else []
    return trouble, [json.loads(line) for line in lines if line.endswith("}")]


def tokens() -> list[str]:
    return sorted({found for case in corpus.cases() for found in TOKENS.findall(case["raw"])})


def ours(case: dict[str, Any], cut: Iterable[str]) -> dict[str, Any]:
    """This engine on the same text: reasoning split and calls recovered, as the data path does."""
    path, events = corpus.steps(case), [*map(TextDelta, cut), Finished("stop")]
    start = time.process_time()
    seen = corpus.see(list(corpus.through(path, events)))
    return {"id": case["id"], "calls": seen.calls, "raised": None, "seconds": time.process_time() - start}


HEAD = (
    "parser", "family", "cases with calls", "right", "right in deltas", "missed or wrong", "in deltas",
    "cases without", "false calls", "in deltas", "raised", "ms a case", "in deltas", "ours right", "ours false",
)  # fmt: skip


def cells(title: str, family: str, whole: Score, streamed: Score, own: Score) -> list[str]:
    def right(found: Score) -> str:
        types = f" (+{found.right_but_types})" if found.right_but_types else ""
        return f"{found.right}{types}" if found.cases else "–"

    def false(found: Score) -> str:
        return f"{found.false} ({found.false_declared})" if found.cases else "–"

    def took(found: Score) -> str:
        return f"{found.seconds / found.cases * 1000:.2f}" if found.cases else "–"

    calls = whole.right + whole.right_but_types + whole.wrong
    return [
        title, family, str(calls), right(whole), right(streamed), str(whole.wrong),
        str(streamed.wrong) if streamed.cases else "–", str(whole.cases - calls), false(whole), false(streamed),
        str(whole.raised + streamed.raised), took(whole), took(streamed), str(own.right), str(own.false),
    ]  # fmt: skip


def table(rows: Iterable[list[str]]) -> str:
    lines = [HEAD, ["---"] * 2 + ["--:"] * (len(HEAD) - 2), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def compared() -> tuple[str, list[str]]:
    """The table, and what did not run."""
    once = {case["id"]: case for row in ROWS for case in asked(row)}
    for case in once.values():
        ours(case, [case["raw"]])  # warm, as the others are
    own = {name: ours(case, [case["raw"]]) for name, case in once.items()}
    in_deltas = [ours(case, re.findall(f"(?s).{{1,{WIDTH}}}", case["raw"])) for case in once.values()]
    with ThreadPoolExecutor(max_workers=2) as pool:
        found = dict(zip(PROJECTS, pool.map(foreign, PROJECTS), strict=True))
    rows, trouble = [], []
    for project, (problem, answers) in found.items():
        title = f"{project} {PROJECTS[project].versions}"
        if problem:
            trouble.append(f"{title}: {problem}")
        scores = []
        for row in (row for row in ROWS if row.project == project and answers):
            mine = [each for each in answers if each["parser"] == row.parser]
            whole, streamed = (score(each for each in mine if each["mode"] == mode) for mode in ("whole", "streamed"))
            scores.append((whole, streamed, score(own[case["id"]] for case in asked(row))))
            rows.append(cells(f"{project} `{row.parser}`", row.family, *scores[-1]))
        if scores:
            rows.append(bold(cells(title, "all", *map(total, zip(*scores, strict=True)))))
    rows.append(
        bold(cells("this engine, each case once", "all", score(own.values()), score(in_deltas), score(own.values())))
    )
    return table(rows), trouble


def bold(line: list[str]) -> list[str]:
    return [f"**{cell}**" for cell in line]


def main() -> None:
    text, trouble = compared()
    print(text, *trouble, sep="\n")
    if "--write" in sys.argv[1:]:
        written = f"{BEGIN}\nMeasured on {datetime.datetime.now(datetime.UTC):%Y-%m-%d}.\n\n{text}\n{END}"
        document = DOCUMENT.read_text()
        DOCUMENT.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: written, document, count=1, flags=re.DOTALL))


if __name__ == "__main__":
    main()
