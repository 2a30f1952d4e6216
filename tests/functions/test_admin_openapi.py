"""Whatever the OpenAPI document of an admin function allows, and what it does not, is answered as it says: schemathesis
makes the requests. No 5xx, no status, media type or body that the document does not have."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from moto import mock_aws
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
from functions.admin_endpoints.endpoints import admin_endpoints_app
from functions.admin_settings.settings import admin_settings_app
from functions.admin_tool_patterns.tool_patterns import admin_tool_patterns_app
from functions.admin_virtual_models.virtual_models import admin_virtual_models_app
from infra.routes import ROUTES
from shared.settings import read_settings
from shared.store.audit import AuditLog
from shared.store.client_keys import ClientKeys
from shared.store.config_store import ConfigStore
from shared.store.ledger import Ledger
from shared.store.limits import LimitTable
from shared.store.seal import KeyFileSealer
from shared.store.tables import Tables
from shared.web.admin_access import OpenAccess

CHECKS = [not_a_server_error, response_schema_conformance, content_type_conformance, status_code_conformance]
# what asks backends, or streams what the roll-ups hold: their own tests ask them more than a schema can
HOST = {"host": "localhost"}
ASKED = (
    "admin_activity", "admin_api_keys", "admin_audit", "admin_config", "admin_endpoints", "admin_settings",
    "admin_tool_patterns", "admin_virtual_models",
)  # fmt: skip
APART = {"admin_endpoint_probe", "admin_usage", "admin_usage_export", "admin_session"}


def apps(tables: Tables, folder: Path) -> dict[str, FastAPI]:
    store, access = ConfigStore(tables), OpenAccess()
    sealer = KeyFileSealer(folder / "key")
    return {
        "admin_activity": admin_activity_app(Ledger(tables, keep_days=9), access),
        "admin_api_keys": admin_api_keys_app(ClientKeys(tables), LimitTable(tables), access),
        "admin_audit": admin_audit_app(AuditLog(tables), access),
        "admin_config": admin_config_app(store, sealer, access),
        "admin_endpoints": admin_endpoints_app(store, sealer, access),
        "admin_settings": admin_settings_app(store, read_settings({}), access),
        "admin_tool_patterns": admin_tool_patterns_app(store, access),
        "admin_virtual_models": admin_virtual_models_app(store, sealer, access),
    }


def test_no_admin_function_is_left_out() -> None:
    with mock_aws(), tempfile.TemporaryDirectory() as folder:
        known = apps(Tables("test", region="eu-central-1"), Path(folder))
    assert known.keys() == set(ASKED)
    assert known.keys() | APART == {row.function for row in ROUTES if row.function.startswith("admin_")}


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def ask(case: Any) -> None:
    case.call_and_validate(headers=HOST, checks=CHECKS)


@pytest.mark.filterwarnings("ignore")  # schemathesis uses what others have deprecated
@pytest.mark.parametrize("name", ASKED)
def test_answers_are_what_the_document_says(name: str, tmp_path: Path) -> None:
    with mock_aws():
        tables = Tables("test", region="eu-central-1")
        tables.create_missing()
        schema = schemathesis.openapi.from_asgi("/openapi.json", apps(tables, tmp_path)[name], headers=HOST)
        for operation in schema.get_all_operations():
            given(case=operation.ok().as_strategy())(ask)()
