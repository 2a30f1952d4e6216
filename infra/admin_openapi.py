"""`python -m infra.admin_openapi`: the admin API as one OpenAPI document, for the dashboard's types.

It is made anew by every build of the dashboard, so that a renamed field breaks the build and not a user.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from infra.routes import ROUTES

PLACE = Path(__file__).parents[1] / "admin_frontend" / "openapi.json"


class ClashingSchemas(Exception):
    """Two functions call different things by one name."""


def admin_openapi() -> dict[str, Any]:
    """The documents of all admin functions in one. Raises ClashingSchemas."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for function in sorted({route.function for route in ROUTES if route.function.startswith("admin_")}):
        app: FastAPI = importlib.import_module(f"functions.{function}.app").app
        document = app.openapi()
        found = document.get("components", {}).get("schemas", {})
        clashing = {name for name, schema in found.items() if schemas.get(name, schema) != schema}
        if clashing:
            raise ClashingSchemas(f"{function}: {', '.join(sorted(clashing))} is something else in another function")
        schemas |= found
        paths |= document["paths"]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Serverless Proxy, admin API", "version": "1"},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def main() -> int:
    PLACE.write_text(json.dumps(admin_openapi(), indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
