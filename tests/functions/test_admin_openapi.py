"""Whatever the OpenAPI document of an admin function allows, and what it does not, is answered as it says: schemathesis
makes the requests, half of them about records that are there. No 5xx, no status, media type or body that the document
does not have."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy, integers
from moto import mock_aws
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from functions.admin_activity.activity import admin_activity_app
from functions.admin_api_keys.api_keys import admin_api_keys_app
from functions.admin_audit.audit import admin_audit_app
from functions.admin_config.config import admin_config_app
from functions.admin_endpoint_probe.endpoint_probe import admin_endpoint_probe_app
from functions.admin_endpoints.endpoints import admin_endpoints_app
from functions.admin_session.session import admin_session_app
from functions.admin_settings.settings import admin_settings_app
from functions.admin_tool_patterns.tool_patterns import admin_tool_patterns_app
from functions.admin_usage.usage import admin_usage_app
from functions.admin_usage_export.export import admin_usage_export_app
from functions.admin_virtual_models.virtual_models import admin_virtual_models_app
from infra.routes import ROUTES
from shared.gateway.catalog import TargetSpec, VirtualModel
from shared.providers.upstream import PooledUpstream
from shared.settings import read_settings
from shared.store.audit import AuditLog
from shared.store.client_keys import ClientKeys
from shared.store.config_records import EndpointRecord, ToolPatternRecord
from shared.store.config_store import ConfigStore
from shared.store.health import HealthBoard
from shared.store.key_labels import KeyLabels
from shared.store.ledger import Ledger
from shared.store.limits import LimitTable
from shared.store.rollup_reader import RollupReader
from shared.store.seal import KeyFileSealer
from shared.store.tables import Tables
from shared.web.admin_access import OpenAccess, Sessions
from tests.store.test_ledger import a_record

CHECKS = [not_a_server_error, response_schema_conformance, content_type_conformance, status_code_conformance]
HOST = {"host": "localhost"}
FUNCTIONS = sorted({row.function for row in ROUTES if row.function.startswith("admin_")})
AT_LEAST = "admin_endpoints"  # is asked in the inner loop too
# requests for each operation, such as it allows and such as it does not: together half a minute of one core
ALLOWED, WRONG = 6, 3
RECORDS = 4


async def nowhere(host: str, port: int) -> list[str]:
    """A resolver by which every name is this machine, which the upstream then refuses."""
    return ["127.0.0.1"]


def apps(tables: Tables, folder: Path) -> dict[str, FastAPI]:
    store, access, chosen = ConfigStore(tables), OpenAccess(), read_settings({})
    sealer = KeyFileSealer(folder / "key")
    ledger, upstream = Ledger(tables, keep_days=9), PooledUpstream(reach="public", resolve=nowhere)
    return {
        "admin_activity": admin_activity_app(ledger, access),
        "admin_api_keys": admin_api_keys_app(ClientKeys(tables), LimitTable(tables), access),
        "admin_audit": admin_audit_app(AuditLog(tables), access),
        "admin_config": admin_config_app(store, sealer, access),
        "admin_endpoint_probe": admin_endpoint_probe_app(store, sealer, upstream, HealthBoard(tables), access),
        "admin_endpoints": admin_endpoints_app(store, sealer, access),
        "admin_session": admin_session_app(chosen, Sessions("http://127.0.0.1:9", upstream), access),
        "admin_settings": admin_settings_app(store, chosen, access),
        "admin_tool_patterns": admin_tool_patterns_app(store, access),
        "admin_usage": admin_usage_app(RollupReader(tables), KeyLabels(tables), access),
        "admin_usage_export": admin_usage_export_app(ledger, RollupReader(tables), KeyLabels(tables), access),
        "admin_virtual_models": admin_virtual_models_app(store, sealer, access),
    }


def furnish(tables: Tables, folder: Path) -> str:
    """Records of every kind with the ids from 1 to RECORDS, and a key, whose id it returns."""
    store, sealer = ConfigStore(tables), KeyFileSealer(folder / "key")
    for number in range(1, RECORDS + 1):
        web = EndpointRecord(
            f"endpoint-{number}", "https://backend.example", "openai", sealed_key=sealer.seal("sk-x", number)
        )
        demo = EndpointRecord(f"endpoint-{number}", "demo://built-in", "demo", options={"delay_ms": 0})
        store.create_endpoint(demo if number % 2 else web)
        targets = (TargetSpec(number, "m"),)
        store.create_virtual_model(VirtualModel(0, f"model-{number}", targets, aliases=(f"alias-{number}",)))
        store.create_tool_pattern(ToolPatternRecord(f"pattern-{number}", "xml", "<x>(.*?)</x>", tool_name="t"))
    now_ms = int(time.time() * 1_000)
    Ledger(tables, keep_days=9).put_batch([a_record(request_id=f"r{n}", time_ms=now_ms - n) for n in range(5)])
    return ClientKeys(tables).create("known").record.key_id


def try_out(ask: Callable[[Any, int], None], cases: SearchStrategy[Any], examples: int) -> None:
    bounded = settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    bounded(given(case=cases, known=integers(0, RECORDS))(ask))()


def test_no_admin_function_is_left_out() -> None:
    with mock_aws(), tempfile.TemporaryDirectory() as folder:
        known = apps(Tables("test", region="eu-central-1"), Path(folder))
    assert sorted(known) == FUNCTIONS


@pytest.mark.filterwarnings("ignore")  # schemathesis uses what others have deprecated
@pytest.mark.parametrize(
    "name", [AT_LEAST, *(pytest.param(each, marks=pytest.mark.slow) for each in FUNCTIONS if each != AT_LEAST)]
)
def test_answers_are_what_the_document_says(name: str, tmp_path: Path) -> None:
    with mock_aws():
        tables = Tables("test", region="eu-central-1")
        tables.create_missing()
        key_id = furnish(tables, tmp_path)
        statuses: set[int] = set()
        # that an endpoint fails is a 502 or 504 of the document, and 500 is in none
        checks = [each for each in CHECKS if name != "admin_endpoint_probe" or each is not not_a_server_error]

        def ask(case: Any, known: int) -> None:
            if "id" in case.path_parameters and known:
                case.path_parameters["id"] = key_id if name == "admin_api_keys" else known
            statuses.add(case.call_and_validate(headers=HOST, checks=checks).status_code)

        schema = schemathesis.openapi.from_asgi("/openapi.json", apps(tables, tmp_path)[name], headers=HOST)
        for found in schema.get_all_operations():
            operation = found.ok()
            try_out(ask, operation.as_strategy(), ALLOWED)
            if operation.query or operation.body:  # what takes nothing cannot be given anything wrong
                try_out(ask, operation.as_strategy(generation_mode=GenerationMode.NEGATIVE), WRONG)
    assert {200, 201} & statuses, "only refusals were tried"
