"""What follows a deploy: the default tool patterns are planted once, and the first steps are named.

`make deploy` runs it on the stack's outputs: `python -m infra.after_deploy cdk.out/outputs.json`. By hand, or against
another DynamoDB: `python -m infra.after_deploy --table-prefix serverless-proxy-dev --region eu-central-1`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

from shared.errors import GatewayError
from shared.settings import read_settings
from shared.store.config_store import ConfigStore
from shared.store.tables import Tables


class Deployed(NamedTuple):
    table_prefix: str
    region: str
    api_url: str = ""
    user_pool: str = ""


def read_outputs(file: Path) -> Deployed:
    """What `cdk deploy --outputs-file` has written; the one stack of the app. Raises ValueError."""
    stacks = list(json.loads(file.read_text()).values())
    if len(stacks) != 1 or not {"TablePrefix", "ApiUrl"} <= stacks[0].keys():
        raise ValueError(f"{file} does not hold the outputs of the gateway's stack")
    told = stacks[0]
    region = re.search(r"\.execute-api\.([\w-]+)\.", told["ApiUrl"])
    if region is None:
        raise ValueError(f"{told['ApiUrl']} is not an address of API Gateway")
    return Deployed(told["TablePrefix"], region[1], told["ApiUrl"], told.get("UserPoolId", ""))


def plant(deployed: Deployed) -> None:
    """Raises StoreUnavailable."""
    endpoint = read_settings(os.environ).dynamodb_url
    tables = Tables(deployed.table_prefix, region=deployed.region, endpoint=endpoint)
    ConfigStore(tables).plant_tool_patterns()


def first_steps(deployed: Deployed) -> str:
    lines = ["", f"Clients' base URL   {deployed.api_url}v1"]
    if deployed.user_pool:
        pool = f"--region {deployed.region} --user-pool-id {deployed.user_pool}"
        lines.append(f"An administrator    aws cognito-idp admin-create-user {pool} --username you@example.org")
    lines.append(
        f"A client key        AWS_REGION={deployed.region} make key LABEL=first TABLE_PREFIX={deployed.table_prefix}"
    )
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outputs", type=Path, nargs="?")
    parser.add_argument("--table-prefix")
    parser.add_argument("--region", default=os.environ.get("AWS_REGION", "us-east-1"))
    told = parser.parse_args(arguments)
    if bool(told.outputs) == bool(told.table_prefix):
        parser.error("either the outputs of a deploy or --table-prefix")
    try:
        deployed = read_outputs(told.outputs) if told.outputs else Deployed(told.table_prefix, told.region)
        plant(deployed)
    except (ValueError, OSError) as problem:
        print(problem, file=sys.stderr)  # noqa: T201
        return 2
    except GatewayError as error:
        print(error.message, file=sys.stderr)  # noqa: T201
        return 2
    if deployed.api_url:
        print(first_steps(deployed))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
