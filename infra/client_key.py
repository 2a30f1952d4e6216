"""Make a client key from a terminal: `python -m infra.client_key create --label ci`.

Without more, through the admin API of the gateway that runs on this machine; with `--url` (and `--token`, or the
variable ADMIN_TOKEN) through another one's; with `--table-prefix` straight into the tables of a deployment, by your
AWS credentials, as for the first key after a deploy. The key alone goes to standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import httpx

from infra.local.__main__ import load_env_file
from shared.errors import GatewayError
from shared.settings import Settings, SettingsError, read_settings

_TIMEOUT_SECONDS = 15.0


class Refused(Exception):
    """The message is one line that says why there is no key."""


def create_by_api(url: str, label: str, notes: str, token: str) -> str:
    """Raises Refused."""
    headers = {"authorization": f"Bearer {token}", "x-session-token": token} if token else {}
    address = f"{url.rstrip('/')}/api/admin/api-keys"
    try:
        answer = httpx.post(
            address, json={"label": label, "notes": notes}, headers=headers, timeout=_TIMEOUT_SECONDS, trust_env=False
        )
        told = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL) as failure:
        raise Refused(f"{address} cannot be reached ({type(failure).__name__}); is the gateway running?") from failure
    except json.JSONDecodeError:
        raise Refused(f"{address} is not the admin API of a gateway") from None
    if answer.status_code != 201:
        raise Refused(f"{answer.status_code}: {told.get('error', 'refused') if isinstance(told, dict) else 'refused'}")
    return str(told["api_key"])


def create_in_table(prefix: str, region: str, endpoint: str | None, label: str, notes: str) -> str:
    """Raises GatewayError."""
    from shared.store.client_keys import ClientKeys
    from shared.store.tables import Tables

    return ClientKeys(Tables(prefix, region=region, endpoint=endpoint)).create(label, notes).key


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    create = parser.add_subparsers(required=True, metavar="create").add_parser("create", help="make a key and print it")
    create.add_argument("--label", required=True, type=_label, help="what the key is for; no two keys have the same")
    create.add_argument("--notes", default="")
    where = create.add_mutually_exclusive_group()
    where.add_argument("--url", help="a gateway's admin API; default: the one on this machine")
    where.add_argument("--table-prefix", help="a deployment's TABLE_PREFIX, as in serverless-proxy-prod")
    create.add_argument("--token", default=os.environ.get("ADMIN_TOKEN", ""), help="an administrator's, for --url")
    create.add_argument("--region", help="for --table-prefix; default: AWS_REGION")
    told = parser.parse_args(arguments)
    load_env_file(Path(".env"))
    try:
        chosen = read_settings(os.environ)
        if told.table_prefix:
            region = told.region or chosen.region
            key = create_in_table(told.table_prefix, region, chosen.dynamodb_url, told.label, told.notes)
        else:
            key = create_by_api(told.url or _here(chosen), told.label, told.notes, told.token)
    except (Refused, SettingsError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    except GatewayError as error:
        print(error.message, file=sys.stderr)  # noqa: T201
        return 2
    print(key)  # noqa: T201
    return 0


def _here(chosen: Settings) -> str:
    return f"http://127.0.0.1:{chosen.admin_port}"


def _label(text: str) -> str:
    """As the admin API has it."""
    text = text.strip()
    if not 0 < len(text) <= 128 or not text.isprintable():
        raise argparse.ArgumentTypeError("must be 1 to 128 visible characters")
    return text


if __name__ == "__main__":
    sys.exit(main())
