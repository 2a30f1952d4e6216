"""Export and import the configuration from a terminal: `python -m infra.configuration export`, `… import FILE`.

Through the admin API of the gateway that runs on this machine, or with `--url` (and `--token`, or the variable
ADMIN_TOKEN) through another one's. What a document names with `{env: NAME}` is taken from this environment.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import yaml

from infra.local.__main__ import load_env_file
from shared.settings import SettingsError, read_settings

_TIMEOUT_SECONDS = 60.0


class Refused(Exception):
    """The message says why nothing came of it, a fault a line."""


def export(api: httpx.Client) -> str:
    """Raises Refused."""
    return _asked(api, "GET", "/api/admin/config/export").text


def take(api: httpx.Client, document: str, *, dry_run: bool, prune: bool) -> list[dict[str, Any]]:
    """The changes that were, or would be, made. Raises Refused."""
    secrets = {name: os.environ[name] for name in references(document) if os.environ.get(name)}
    query = {"dry_run": str(dry_run).lower(), "prune": str(prune).lower()}
    body = {"document": document, "secrets": secrets}
    answer = _asked(api, "POST", "/api/admin/config/import", params=query, json=body)
    changes: list[dict[str, Any]] = answer.json()["changes"]
    return changes


def references(document: str) -> set[str]:
    """The names of `{env: NAME}`; none where the document cannot be read, which the gateway then says better."""
    found: set[str] = set()
    with suppress(yaml.YAMLError):
        for node in _nodes(yaml.compose(document, yaml.SafeLoader)):
            match node:
                case yaml.MappingNode(value=[(yaml.ScalarNode(value="env"), yaml.ScalarNode(value=str(name)))]):
                    found.add(name)
    return found


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    if isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _nodes(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _nodes(value)


def _asked(api: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
    try:
        answer = api.request(method, path, **options)
    except (httpx.HTTPError, httpx.InvalidURL) as failure:
        raise Refused(
            f"{api.base_url} cannot be reached ({type(failure).__name__}); is the gateway running?"
        ) from failure
    if answer.status_code == 200:
        return answer
    try:
        told = answer.json()
    except json.JSONDecodeError:
        raise Refused(f"{api.base_url} is not the admin API of a gateway") from None
    rows = [f"{each['field']}: {each['message']}" for each in told.get("fields") or ()]
    raise Refused("\n".join(rows) or f"{answer.status_code}: {told.get('error', 'refused')}")


def shown(changes: list[dict[str, Any]]) -> str:
    """A line for each record, and one for each of its fields."""
    lines = []
    for change in changes:
        lines.append(f"{change['action']} {change['kind']} {change['name']}")
        lines += [
            f"    {each['field']}: {_word(each['before'])} -> {_word(each['after'])}" for each in change["changes"]
        ]
    return "\n".join(lines) or "nothing changes"


def _word(value: Any) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--url", help="a gateway's admin API; default: the one on this machine")
    where.add_argument("--token", default=os.environ.get("ADMIN_TOKEN", ""), help="an administrator's")
    verbs = parser.add_subparsers(required=True, dest="verb", metavar="export|import")
    out = verbs.add_parser("export", parents=[where], help="write the configuration as YAML")
    out.add_argument("file", nargs="?", default="-", help="where to; default: standard output")
    into = verbs.add_parser("import", parents=[where], help="make the configuration what a document says")
    into.add_argument("file", help="the document; - is standard input")
    into.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
    into.add_argument("--prune", action="store_true", help="delete what the document's parts do not list")
    told = parser.parse_args(arguments)
    load_env_file(Path(".env"))
    try:
        url = told.url or f"http://127.0.0.1:{read_settings(os.environ).admin_port}"
        headers = {"authorization": f"Bearer {told.token}", "x-session-token": told.token} if told.token else {}
        with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_SECONDS, trust_env=False) as api:
            if told.verb == "export":
                _write(told.file, export(api))
            else:
                document = sys.stdin.read() if told.file == "-" else Path(told.file).read_text(encoding="utf-8")
                print(shown(take(api, document, dry_run=told.dry_run, prune=told.prune)))  # noqa: T201
    except (Refused, SettingsError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    return 0


def _write(file: str, text: str) -> None:
    if file == "-":
        sys.stdout.write(text)
    else:
        Path(file).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
