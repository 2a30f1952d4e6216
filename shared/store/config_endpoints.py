"""Endpoints as stored: listed, read, created, changed and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate, takewhile
from typing import Any

from shared.store.change import MAX_ITEMS, Change
from shared.store.config_edits import Edits, unless_outrun, until_settled
from shared.store.config_items import WORDS, endpoint_of
from shared.store.config_records import EndpointRecord, VirtualModelRecord
from shared.store.health import HEALTH_SCOPE
from shared.store.refusals import Conflict, InUse, NotFound
from shared.store.stored_secrets import check_key, check_users, origin_of


class Endpoints(Edits):
    def list_endpoints(self) -> list[EndpointRecord]:
        """All endpoints by name."""
        return sorted(self._items.load().endpoints, key=lambda each: each.name)

    def get_endpoint(self, endpoint_id: int) -> EndpointRecord:
        """Raises NotFound."""
        return endpoint_of(self._items.one("endpoint", endpoint_id))

    def create_endpoint(self, record: EndpointRecord) -> EndpointRecord:
        """Raises DuplicateName. `record.id` 0 asks for a new id; another one comes from `allocate_id`."""
        record = replace(record, id=record.id or self.allocate_id("endpoint"))

        def attempt() -> EndpointRecord:
            change = Change(self._tables)
            created = self._create(change, record)
            change.commit()
            return created

        return until_settled(attempt)

    def update_endpoint(
        self, endpoint_id: int, changes: Mapping[str, Any], expected: int | None = None
    ) -> EndpointRecord:
        """Set the named fields. `expected` is the version the change was made for; None takes the last one.

        Raises NotFound, Conflict, DuplicateName, or InvalidRequest when a stored secret would go to another origin.
        """

        def attempt() -> EndpointRecord:
            current = self.get_endpoint(endpoint_id)
            changed = self._successor(current, replace(current, **changes), expected)
            change = Change(self._tables)
            check_key(current, changed)
            if origin_of(current) != origin_of(changed):
                found = self._items.load()
                check_users(current, changed, found.virtual_models)
                change.only_if_nothing_changed_since(found.version)
            self._replace(change, current, changed)
            change.commit()
            return changed

        return until_settled(lambda: unless_outrun(attempt))

    def delete_endpoint(self, endpoint_id: int, *, cascade: bool = False, expected: int | None = None) -> None:
        """Delete it; with `cascade` also the virtual models that have no other target, the others lose this one.

        Raises NotFound, Conflict or InUse. A cascade over more virtual models than one transaction can hold is
        several, the endpoint last.
        """

        def attempt() -> bool:
            version, endpoints, virtual_models, *_ = self._items.load()
            current = next((each for each in endpoints if each.id == endpoint_id), None)
            if current is None:
                raise NotFound(WORDS["endpoint"], endpoint_id)
            if expected not in (None, current.version):
                raise Conflict(current)
            users = [each for each in virtual_models if any(to.endpoint_id == endpoint_id for to in each.value.targets)]
            if users and not cascade:
                raise InUse([each.name for each in users])
            change = Change(self._tables)
            change.only_if_nothing_changed_since(version)
            # beside the users: the endpoint, its name and its health, the audit log and the version
            room = MAX_ITEMS - 5
            fitting = list(takewhile(lambda used: used <= room, accumulate(1 + len(user.names) for user in users)))
            whole = len(fitting) == len(users)
            for user in users[: len(fitting)]:
                self._detach(change, user, endpoint_id)
            if whole:
                self._delete(change, current)
                change.delete(self._tables.config(HEALTH_SCOPE, str(endpoint_id)), None, Conflict(current))
            change.commit()
            return whole

        while not until_settled(lambda: unless_outrun(attempt)):
            continue

    def _detach(self, change: Change, user: VirtualModelRecord, endpoint_id: int) -> None:
        others = tuple(target for target in user.value.targets if target.endpoint_id != endpoint_id)
        if others:
            changed = replace(user, value=replace(user.value, targets=others))
            self._replace(change, user, self._successor(user, changed, None))
        else:
            self._delete(change, user)
