"""Every admin function serves the rows that ROUTES gives it, and no other."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from fastapi.routing import APIRoute

from infra.routes import ROUTES

FUNCTIONS = sorted({row.function for row in ROUTES if row.function.startswith("admin_")})


def routed(function: str) -> set[tuple[str, str]]:
    rows = [row for row in ROUTES if row.function == function]
    return {(method, path) for row in rows for path in row.paths for method in row.methods}


def served(app: Any) -> set[tuple[str, str]]:
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    return {(method, route.path) for route in routes for method in route.methods}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_serves_what_the_table_says(function: str) -> None:
    app = importlib.import_module(f"functions.{function}.app").app
    assert served(app) == routed(function)


def test_the_first_part_is_there() -> None:
    assert {
        "admin_endpoints",
        "admin_endpoint_probe",
        "admin_virtual_models",
        "admin_tool_patterns",
        "admin_activity",
        "admin_session",
    } <= set(FUNCTIONS)


def test_whatever_changes_something_is_for_administrators() -> None:
    for row in ROUTES:
        if row.function.startswith("admin_") and row.function != "admin_session":
            assert row.access == "admin"
    # a logout takes nothing away from anybody but who sends it
    assert [(row.methods, row.path) for row in ROUTES if row.function == "admin_session"] == [
        (("GET",), "/session/validate"),
        (("POST",), "/session/logout"),
    ]
