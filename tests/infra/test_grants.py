"""The table of grants: complete, and with the keys in few hands."""

from __future__ import annotations

from infra.grants import GRANTS, KeyGrant
from infra.reach import streams
from infra.routes import ROUTES

EVERY_FUNCTION = {route.function for route in ROUTES}


def test_every_function_has_its_row() -> None:
    assert GRANTS.keys() - {"usage_rollup"} == EVERY_FUNCTION


def test_each_kind_of_secret_is_sealed_by_its_function_and_the_import_and_only_callers_of_upstreams_reveal() -> None:
    sealing = {name: grant.provider_keys for name, grant in GRANTS.items() if grant.uses("encrypt")}
    assert sealing == {
        "admin_endpoints": (KeyGrant("encrypt", "endpoint"),),
        "admin_virtual_models": (KeyGrant("encrypt", "virtual_model"),),
        "admin_config": (KeyGrant("encrypt", "endpoint"), KeyGrant("encrypt", "virtual_model")),
    }
    decrypting = {name for name, grant in GRANTS.items() if grant.uses("decrypt")}
    assert decrypting == {name for name in EVERY_FUNCTION if streams(name) and name[:6] != "admin_"} | {
        "admin_endpoint_probe"
    }


def test_client_functions_write_no_configuration() -> None:
    for route in ROUTES:
        if route.access == "admin":
            continue
        for grant in GRANTS[route.function].tables:
            if grant.table == "config" and set(grant.actions) - {"Query", "GetItem"}:
                assert (grant.actions, grant.scopes) == (("PutItem",), ("health",))


def test_the_ledger_is_never_changed_by_who_writes_it() -> None:
    for grant in (each for row in GRANTS.values() for each in row.tables if each.table == "ledger"):
        assert not {"UpdateItem", "DeleteItem"} & set(grant.actions)
