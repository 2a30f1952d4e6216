"""What administrators define: read, created, changed and deleted; no change is lost and no name is taken twice.

Synchronous: call it from a thread. Every method raises StoreUnavailable when AWS does not answer.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

from shared.errors import InvalidRequest, StoreUnavailable
from shared.gateway.catalog import Catalog, TargetSpec, VirtualModel
from shared.store.change import CONFIG_SCOPE, MAX_ITEMS, VERSION_KEY, Change, ConditionRefused, Contended
from shared.store.config_records import (
    EndpointRecord,
    FormatSwitches,
    ToolPatternRecord,
    VirtualModelRecord,
    endpoint_document,
    formats_document,
    read_endpoint,
    read_formats,
    read_tool_pattern,
    read_virtual_model,
    tool_pattern_document,
    virtual_model_document,
)
from shared.store.health import HEALTH_SCOPE
from shared.store.refusals import Conflict, DuplicateName, InUse, NotFound
from shared.store.tables import ConfigItem, Tables, reaching

Kind: TypeAlias = Literal["endpoint", "virtual_model", "tool_pattern"]
StoredRecord: TypeAlias = EndpointRecord | VirtualModelRecord | ToolPatternRecord
_R = TypeVar("_R", EndpointRecord, VirtualModelRecord, ToolPatternRecord)
_T = TypeVar("_T")

_NAME_SCOPE = "name"
_COUNTER_SCOPE = "counter"
_SEED_SCOPE = "seed"
_FORMATS_KEY = "formats"
_WORDS: Mapping[Kind, str] = {
    "endpoint": "endpoint",
    "virtual_model": "virtual model",
    "tool_pattern": "tool pattern",
}
_KINDS: Mapping[type[StoredRecord], Kind] = {
    EndpointRecord: "endpoint",
    VirtualModelRecord: "virtual_model",
    ToolPatternRecord: "tool_pattern",
}

# A change that lost a race is read and tried again: waits double from 5 ms with jitter, 2 s together.
_ATTEMPTS = 12
_FIRST_WAIT_SECONDS = 0.005
_LONGEST_WAIT_SECONDS = 0.4

DEMO_ENDPOINT = EndpointRecord(name="demo", url="demo://built-in", endpoint_type="demo")
DEMO_VIRTUAL_MODEL = VirtualModel(
    id=0, name="demo", targets=(), description="Built in: answers without a provider, for first steps and tests"
)


class Configuration(NamedTuple):
    """All of it, as one Query found it."""

    version: int
    endpoints: list[EndpointRecord]
    virtual_models: list[VirtualModelRecord]
    tool_patterns: list[ToolPatternRecord]
    formats: FormatSwitches


class ConfigStore:
    """The `config` table as records. `now` gives seconds since 1970."""

    def __init__(self, tables: Tables, *, now: Callable[[], float] = time.time) -> None:
        self._tables = tables
        self._now = now

    # -- reading ---------------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Make the AWS client, so that no deadline has to cover it. No I/O."""
        self._tables.connect()

    def read_version(self) -> int:
        """The configuration's version; 0 when nothing was ever written."""
        with reaching("the configuration's version"):
            items = list(self._tables.config.query(CONFIG_SCOPE, self._tables.config.key == VERSION_KEY))
        return int(items[0].version or 0) if items else 0

    def load_catalog(self) -> Catalog:
        """Everything the data path needs, from one Query."""
        found = self._load()
        return Catalog(
            version=found.version,
            endpoints={each.id: each.endpoint() for each in found.endpoints},
            virtual_models={each.name: each.value for each in found.virtual_models},
            tool_patterns=tuple(each.pattern() for each in _by_priority(found.tool_patterns) if each.enabled),
            formats_on=found.formats.on,
            formats_off=found.formats.off,
        )

    def list_endpoints(self) -> list[EndpointRecord]:
        """All endpoints by name."""
        return sorted(self._load().endpoints, key=lambda each: each.name)

    def list_virtual_models(self) -> list[VirtualModelRecord]:
        """All virtual models by name."""
        return sorted(self._load().virtual_models, key=lambda each: each.name)

    def list_tool_patterns(self) -> tuple[list[ToolPatternRecord], FormatSwitches]:
        """All patterns by priority, the highest first, and the built-in formats that were switched."""
        found = self._load()
        return _by_priority(found.tool_patterns), found.formats

    def get_endpoint(self, endpoint_id: int) -> EndpointRecord:
        """Raises NotFound."""
        return _endpoint(self._item("endpoint", endpoint_id))

    def get_virtual_model(self, virtual_model_id: int) -> VirtualModelRecord:
        """Raises NotFound."""
        return _virtual_model(self._item("virtual_model", virtual_model_id))

    def get_tool_pattern(self, tool_pattern_id: int) -> ToolPatternRecord:
        """Raises NotFound."""
        return _tool_pattern(self._item("tool_pattern", tool_pattern_id))

    def get_formats(self) -> FormatSwitches:
        """The built-in formats that were switched."""
        config = self._tables.config
        with reaching("the formats"):
            try:
                return _formats(config.get(CONFIG_SCOPE, _FORMATS_KEY, consistent_read=True))
            except config.DoesNotExist:
                return FormatSwitches()

    # -- endpoints -------------------------------------------------------------------------------------------------

    def allocate_id(self, kind: Kind, count: int = 1) -> int:
        """A number that no other record of the kind ever had: a key is sealed for an id before its endpoint exists.

        With `count`, the last of so many in a row.
        """
        counter = self._tables.config(_COUNTER_SCOPE, kind)
        with reaching("a new id"):
            counter.update(actions=[self._tables.config.version.add(count)])
        return int(counter.version or 0)

    def create_endpoint(self, record: EndpointRecord) -> EndpointRecord:
        """Raises DuplicateName. `record.id` 0 asks for a new id; another one comes from `allocate_id`."""
        record = replace(record, id=record.id or self.allocate_id("endpoint"))

        def attempt() -> EndpointRecord:
            change = Change(self._tables)
            created = self._create(change, record)
            change.commit()
            return created

        return _until_settled(attempt)

    def update_endpoint(
        self, endpoint_id: int, changes: Mapping[str, Any], expected: int | None = None
    ) -> EndpointRecord:
        """Set the named fields. `expected` is the version the change was made for; None takes the last one.

        Raises NotFound, Conflict or DuplicateName.
        """

        def attempt() -> EndpointRecord:
            current = self.get_endpoint(endpoint_id)
            changed = self._successor(current, replace(current, **changes), expected)
            change = Change(self._tables)
            self._replace(change, current, changed)
            change.commit()
            return changed

        return _until_settled(lambda: _unless_outrun(attempt))

    def delete_endpoint(self, endpoint_id: int, *, cascade: bool = False, expected: int | None = None) -> None:
        """Delete it; with `cascade` also the virtual models that have no other target, the others lose this one.

        Raises NotFound, Conflict or InUse. A cascade over more virtual models than one transaction can hold is
        several, the endpoint last.
        """

        def attempt() -> bool:
            version, endpoints, virtual_models, *_ = self._load()
            current = next((each for each in endpoints if each.id == endpoint_id), None)
            if current is None:
                raise NotFound(_WORDS["endpoint"], endpoint_id)
            if expected not in (None, current.version):
                raise Conflict(current)
            users = [each for each in virtual_models if any(to.endpoint_id == endpoint_id for to in each.value.targets)]
            if users and not cascade:
                raise InUse([each.name for each in users])
            change = Change(self._tables)
            change.only_if_nothing_changed_since(version)
            whole = 2 * len(users) + 4 <= MAX_ITEMS
            for user in users if whole else users[: MAX_ITEMS // 2 - 1]:
                self._detach(change, user, endpoint_id)
            if whole:
                self._delete(change, current)
                change.delete(self._tables.config(HEALTH_SCOPE, str(endpoint_id)), None, Conflict(current))
            change.commit()
            return whole

        while not _until_settled(lambda: _unless_outrun(attempt)):
            continue

    # -- virtual models --------------------------------------------------------------------------------------------

    def create_virtual_model(self, value: VirtualModel) -> VirtualModelRecord:
        """Raises DuplicateName, or InvalidRequest when a target's endpoint does not exist."""
        value = replace(value, id=value.id or self.allocate_id("virtual_model"))

        def attempt() -> VirtualModelRecord:
            change = Change(self._tables)
            created = self._create(change, VirtualModelRecord(value))
            self._check_targets(change, value.targets)
            change.commit()
            return created

        return _until_settled(attempt)

    def update_virtual_model(
        self, virtual_model_id: int, changes: Mapping[str, Any], expected: int | None = None
    ) -> VirtualModelRecord:
        """Set the named fields; as `update_endpoint`, and InvalidRequest when a target's endpoint does not exist."""

        def attempt() -> VirtualModelRecord:
            current = self.get_virtual_model(virtual_model_id)
            changed = self._successor(current, replace(current, value=replace(current.value, **changes)), expected)
            change = Change(self._tables)
            self._replace(change, current, changed)
            if changed.value.targets != current.value.targets:
                self._check_targets(change, changed.value.targets)
            change.commit()
            return changed

        return _until_settled(lambda: _unless_outrun(attempt))

    def delete_virtual_model(self, virtual_model_id: int, expected: int | None = None) -> None:
        """Raises NotFound or Conflict."""

        def attempt() -> None:
            current = self.get_virtual_model(virtual_model_id)
            if expected not in (None, current.version):
                raise Conflict(current)
            change = Change(self._tables)
            self._delete(change, current)
            change.commit()

        _until_settled(lambda: _unless_outrun(attempt))

    # -- tool patterns ---------------------------------------------------------------------------------------------

    def create_tool_pattern(self, record: ToolPatternRecord) -> ToolPatternRecord:
        """Raises DuplicateName."""
        record = replace(record, id=record.id or self.allocate_id("tool_pattern"))

        def attempt() -> ToolPatternRecord:
            change = Change(self._tables)
            created = self._create(change, record)
            change.commit()
            return created

        return _until_settled(attempt)

    def update_tool_pattern(
        self, tool_pattern_id: int, changes: Mapping[str, Any], expected: int | None = None
    ) -> ToolPatternRecord:
        """Set the named fields; as `update_endpoint`."""

        def attempt() -> ToolPatternRecord:
            current = self.get_tool_pattern(tool_pattern_id)
            changed = self._successor(current, replace(current, **changes), expected)
            change = Change(self._tables)
            self._replace(change, current, changed)
            change.commit()
            return changed

        return _until_settled(lambda: _unless_outrun(attempt))

    def delete_tool_pattern(self, tool_pattern_id: int, expected: int | None = None) -> None:
        """Raises NotFound or Conflict."""

        def attempt() -> None:
            current = self.get_tool_pattern(tool_pattern_id)
            if expected not in (None, current.version):
                raise Conflict(current)
            change = Change(self._tables)
            self._delete(change, current)
            change.commit()

        _until_settled(lambda: _unless_outrun(attempt))

    def switch_format(self, format_id: str, enabled: bool) -> FormatSwitches:
        """Switch a built-in format on or off; what it already is, is not written."""

        def attempt() -> FormatSwitches:
            current = self.get_formats()
            on, off = current.switched(format_id, enabled)
            if (on, off) == (current.on, current.off):
                return current
            now = self._seconds()
            changed = FormatSwitches(on, off, current.version + 1, current.created_at or now, now)
            config = self._tables.config
            unchanged = config.version == current.version if current.version else config.key.does_not_exist()
            change = Change(self._tables)
            change.put(self._formats_item(changed), unchanged, Conflict(current))
            change.commit()
            return changed

        return _until_settled(lambda: _unless_outrun(attempt))

    # -- seeds -----------------------------------------------------------------------------------------------------

    def plant_seeds(self) -> bool:
        """Write the demo endpoint and its virtual model, once in the life of the tables; says whether it did.

        The original's tool patterns likewise. A marker in the same transaction remembers each, so that an
        administrator's edit or deletion stays; tables that are older than a seed get it once, too.
        """
        planted = self._planted()
        if "tool_patterns" not in planted:
            self._plant_tool_patterns()
        return "demo" not in planted and self._plant_demo()

    def _planted(self) -> set[str]:
        with reaching("the seeds"):
            return {item.key for item in self._tables.config.query(_SEED_SCOPE, consistent_read=True)}

    def _plant_demo(self) -> bool:
        endpoint = replace(DEMO_ENDPOINT, id=self.allocate_id("endpoint"))
        value = replace(
            DEMO_VIRTUAL_MODEL,
            id=self.allocate_id("virtual_model"),
            targets=(TargetSpec(endpoint_id=endpoint.id, actual_model="demo"),),
        )
        change = Change(self._tables)
        self._mark_planted(change, "demo")
        self._create(change, endpoint)
        self._create(change, VirtualModelRecord(value))
        try:
            _until_settled(change.commit)
        except (Conflict, DuplicateName):
            return False  # another process planted them, or an administrator took the name first
        return True

    def _plant_tool_patterns(self) -> None:
        """All of the defaults in one transaction, but those whose names an administrator already uses."""
        from shared.tool_calls.pattern_defaults import DEFAULT_PATTERNS  # read once in the life of the tables

        last = self.allocate_id("tool_pattern", len(DEFAULT_PATTERNS))
        ids = range(last - len(DEFAULT_PATTERNS) + 1, last + 1)
        defaults = [ToolPatternRecord(id=each, **row) for each, row in zip(ids, DEFAULT_PATTERNS, strict=True)]

        def attempt() -> None:
            found = self._load()
            taken = {each.name for each in found.tool_patterns}
            change = Change(self._tables)
            change.only_if_nothing_changed_since(found.version)
            self._mark_planted(change, "tool_patterns")
            for record in defaults:
                if record.name not in taken:
                    self._create(change, record)
            change.commit()

        with suppress(Conflict):  # another process planted them
            _until_settled(attempt)

    def _mark_planted(self, change: Change, seed: str) -> None:
        config = self._tables.config
        marker = config(_SEED_SCOPE, seed, created_at=self._seconds())
        change.put(marker, config.key.does_not_exist(), Conflict(None))

    # -- parts of a change -----------------------------------------------------------------------------------------

    def _create(self, change: Change, record: _R) -> _R:
        now = self._seconds()
        created = _stamped(record, version=1, created_at=now, updated_at=now)
        kind = _kind(record)
        duplicate = DuplicateName(_WORDS[kind], record.name)
        config = self._tables.config
        change.put(self._record_item(created), config.key.does_not_exist(), Conflict(created))
        change.put(self._name_item(kind, record.name, record.id), config.key.does_not_exist(), duplicate)
        return created

    def _replace(self, change: Change, current: StoredRecord, changed: StoredRecord) -> None:
        config = self._tables.config
        change.put(self._record_item(changed), config.version == current.version, Conflict(current))
        if changed.name != current.name:
            kind = _kind(changed)
            duplicate = DuplicateName(_WORDS[kind], changed.name)
            change.put(self._name_item(kind, changed.name, changed.id), config.key.does_not_exist(), duplicate)
            change.delete(self._name_item(kind, current.name, current.id), None, Conflict(current))

    def _delete(self, change: Change, current: StoredRecord) -> None:
        unchanged = self._tables.config.version == current.version
        change.delete(self._record_item(current), unchanged, Conflict(current))
        change.delete(self._name_item(_kind(current), current.name, current.id), None, Conflict(current))

    def _detach(self, change: Change, user: VirtualModelRecord, endpoint_id: int) -> None:
        others = tuple(target for target in user.value.targets if target.endpoint_id != endpoint_id)
        if others:
            changed = replace(user, value=replace(user.value, targets=others))
            self._replace(change, user, self._successor(user, changed, None))
        else:
            self._delete(change, user)

    def _check_targets(self, change: Change, targets: tuple[TargetSpec, ...]) -> None:
        for endpoint_id in sorted({target.endpoint_id for target in targets}):
            missing = InvalidRequest(f"no endpoint with id {endpoint_id}; create it first", param="targets")
            item = self._tables.config(CONFIG_SCOPE, _record_key("endpoint", endpoint_id))
            change.check(item, self._tables.config.key.exists(), missing)

    def _successor(self, current: _R, changed: _R, expected: int | None) -> _R:
        if expected not in (None, current.version):
            raise Conflict(current)
        if changed.id != current.id:
            raise ValueError("a record keeps its id")
        return _stamped(changed, version=current.version + 1, created_at=current.created_at, updated_at=self._seconds())

    # -- items -----------------------------------------------------------------------------------------------------

    def _record_item(self, record: StoredRecord) -> ConfigItem:
        sealed_key = None
        match record:
            case EndpointRecord():
                document, sealed_key = endpoint_document(record), record.sealed_key
            case VirtualModelRecord():
                document = virtual_model_document(record.value)
            case ToolPatternRecord():
                document = tool_pattern_document(record)
        return self._tables.config(
            CONFIG_SCOPE,
            _record_key(_kind(record), record.id),
            document=document,
            sealed_key=sealed_key,
            version=record.version,
            created_at=record.created_at,
            updated_at=record.updated_at,
        )

    def _formats_item(self, switches: FormatSwitches) -> ConfigItem:
        return self._tables.config(
            CONFIG_SCOPE,
            _FORMATS_KEY,
            document=formats_document(switches),
            version=switches.version,
            created_at=switches.created_at,
            updated_at=switches.updated_at,
        )

    def _name_item(self, kind: Kind, name: str, owner: int) -> ConfigItem:
        return self._tables.config(_NAME_SCOPE, f"{kind}#{name}", owner=owner)

    def _item(self, kind: Kind, record_id: int) -> ConfigItem:
        config = self._tables.config
        with reaching(f"the {_WORDS[kind]}"):
            try:
                return config.get(CONFIG_SCOPE, _record_key(kind, record_id), consistent_read=True)
            except config.DoesNotExist:
                raise NotFound(_WORDS[kind], record_id) from None

    def _load(self) -> Configuration:
        found = Configuration(0, [], [], [], FormatSwitches())
        with reaching("the configuration"):
            for item in self._tables.config.query(CONFIG_SCOPE, consistent_read=True):
                match item.key.partition("#")[0]:
                    case "" if item.key == VERSION_KEY:
                        found = found._replace(version=int(item.version or 0))
                    case "endpoint":
                        found.endpoints.append(_endpoint(item))
                    case "virtual_model":
                        found.virtual_models.append(_virtual_model(item))
                    case "tool_pattern":
                        found.tool_patterns.append(_tool_pattern(item))
                    case "formats":
                        found = found._replace(formats=_formats(item))
        return found

    def _seconds(self) -> int:
        return int(self._now())


def _record_key(kind: Kind, record_id: int) -> str:
    return f"{kind}#{record_id:010d}"


def _kind(record: StoredRecord) -> Kind:
    return _KINDS[type(record)]


def _by_priority(records: list[ToolPatternRecord]) -> list[ToolPatternRecord]:
    return sorted(records, key=lambda each: (-each.priority, each.id))


def _stamped(record: _R, *, version: int, created_at: int, updated_at: int) -> _R:
    if isinstance(record, VirtualModelRecord):
        record = replace(record, value=replace(record.value, created_at=created_at))
    return replace(record, version=version, created_at=created_at, updated_at=updated_at)


def _endpoint(item: ConfigItem) -> EndpointRecord:
    return read_endpoint(
        item.document or "{}",
        sealed_key=item.sealed_key,
        version=int(item.version or 0),
        created_at=int(item.created_at or 0),
        updated_at=int(item.updated_at or 0),
    )


def _virtual_model(item: ConfigItem) -> VirtualModelRecord:
    return read_virtual_model(
        item.document or "{}",
        version=int(item.version or 0),
        created_at=int(item.created_at or 0),
        updated_at=int(item.updated_at or 0),
    )


def _tool_pattern(item: ConfigItem) -> ToolPatternRecord:
    return read_tool_pattern(
        item.document or "{}",
        version=int(item.version or 0),
        created_at=int(item.created_at or 0),
        updated_at=int(item.updated_at or 0),
    )


def _formats(item: ConfigItem) -> FormatSwitches:
    return read_formats(
        item.document or "{}",
        version=int(item.version or 0),
        created_at=int(item.created_at or 0),
        updated_at=int(item.updated_at or 0),
    )


def _unless_outrun(attempt: Callable[[], _T]) -> _T:
    """A record that changed under the attempt is read again: that finds the Conflict, or the way around it."""
    try:
        return attempt()
    except ConditionRefused as refused:
        for refusal in refused.refusals:
            if not isinstance(refusal, Conflict):
                raise refusal from None
        raise Contended("the record changed") from refused


def _until_settled(attempt: Callable[[], _T]) -> _T:
    """Repeat while other writers are faster. Raises the refusal, or StoreUnavailable when it never settles."""
    wait = _FIRST_WAIT_SECONDS
    for _ in range(_ATTEMPTS):
        try:
            return attempt()
        except Contended:
            time.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
        except ConditionRefused as refused:
            raise refused.refusals[0] from None
    raise StoreUnavailable("the configuration is being changed by too many at once; try again")
