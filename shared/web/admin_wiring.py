"""Composition for administrators, apart from `wiring`: what checks their tokens is in no client function's bundle."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

from shared.providers.base import Upstream
from shared.settings import in_cloud
from shared.web.admin_access import admin_access as access_of
from shared.web.admin_guard import Guard
from shared.web.wiring import admin_tables, settings

if TYPE_CHECKING:
    from shared.store.audit import AuditLog
    from shared.store.client_keys import ClientKeys
    from shared.store.key_labels import KeyLabels
    from shared.store.limits import LimitTable
    from shared.store.rollup_reader import RollupReader


@cache
def operators_upstream() -> Upstream:
    """For what only the deployment's settings name, the issuer and the session service: they may be anywhere."""
    from shared.providers.upstream import PooledUpstream

    return PooledUpstream()


@cache
def admin_access() -> Guard:
    """Who may use the admin API; all functions of a process ask the same, and so count wrong credentials together."""
    access = access_of(settings(), operators_upstream(), in_cloud=in_cloud(os.environ))
    return Guard(access, settings().trusted_proxies)


@cache
def client_keys() -> ClientKeys:
    from shared.store.client_keys import ClientKeys

    return ClientKeys(admin_tables())


@cache
def audit_log() -> AuditLog:
    from shared.store.audit import AuditLog

    return AuditLog(admin_tables())


@cache
def limit_table() -> LimitTable:
    from shared.store.limits import LimitTable

    return LimitTable(admin_tables())


@cache
def key_labels() -> KeyLabels:
    from shared.store.key_labels import KeyLabels

    return KeyLabels(admin_tables())


@cache
def rollup_reader() -> RollupReader:
    from shared.store.rollup_reader import RollupReader

    return RollupReader(admin_tables())
