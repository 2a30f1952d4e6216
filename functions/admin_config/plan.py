"""What an import would change: each step with what the audit log will say of it, and how it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from functions.admin_config.document import Document, Written, defaults_of
from functions.admin_config.model_names import ModelStep, given_twice, in_order
from shared.errors import InvalidRequest
from shared.gateway.catalog import VirtualModel
from shared.store.audit import Entry
from shared.store.audit_entry import formats_entry, record_entry, settings_entry
from shared.store.config_records import EndpointRecord, FormatSwitches, VirtualModelRecord
from shared.store.config_store import ConfigStore
from shared.store.seal import Sealer
from shared.store.stored_secrets import check_headers, check_key, check_users
from shared.tool_calls.formats import BY_ID
from shared.web.admin_errors import FieldError, InvalidFields, field_errors
from shared.web.endpoint_schemas import EndpointChange, NewEndpoint
from shared.web.settings_schemas import ROWS, SettingsChange
from shared.web.tool_pattern_schemas import NewToolPattern, ToolPatternChange
from shared.web.virtual_model_schemas import MASK, NewVirtualModel, VirtualModelChange

_F = TypeVar("_F")

_UNBORN = 9_000_000_000  # ids of endpoints that the import is still to make


class Step(NamedTuple):
    entry: Entry
    apply: Callable[[], object]


class _Unsealed:
    """Stands in for the sealer while nothing is written."""

    def seal(self, text: str, owner_id: int, kind: str = "endpoint") -> bytes:
        return b"another"

    def reveal(self, sealed: bytes, owner_id: int, kind: str = "endpoint") -> str:
        raise NotImplementedError("a plan reveals nothing")


class Planner:
    """Compares a document with what is stored. `secrets` are what `{env: NAME}` stands for."""

    def __init__(self, store: ConfigStore, sealer: Sealer, secrets: Mapping[str, str]) -> None:
        self._store = store
        self._sealer = sealer
        self._secrets = secrets
        self._wrong: list[FieldError] = []
        self._steps: list[Step] = []
        self._endpoints_after: dict[int, EndpointRecord] = {}

    def plan(self, wanted: Document, found: Written, *, prune: bool) -> list[Step]:
        """In the order in which they can be done. Raises InvalidFields with everything that is wrong."""
        ids = {each.name: each.id for each in found.endpoints}
        self._endpoints_after = {each.id: each for each in found.endpoints}
        if wanted.endpoints is not None:
            self._endpoints(wanted.endpoints, found, ids)
        if wanted.virtual_models is not None:
            self._virtual_models(wanted.virtual_models, found, ids, prune=prune)
        if wanted.tool_patterns is not None:
            self._tool_patterns(wanted.tool_patterns, found)
        if wanted.formats is not None:
            self._formats(frozenset(wanted.formats.on), frozenset(wanted.formats.off), found.formats)
        if wanted.settings is not None:
            self._settings(wanted.settings, found)
        if prune:
            self._prune(wanted, found)
        if self._wrong:
            raise InvalidFields(self._wrong)
        names = {number: name for name, number in ids.items()}
        return [Step(_with_names(step.entry, names), step.apply) for step in self._steps]

    # -- endpoints ---------------------------------------------------------------------------------------------------

    def _endpoints(self, rows: list[dict[str, Any]], found: Written, ids: dict[str, int]) -> None:
        stored = {each.name: each for each in found.endpoints}
        for place, name, row in self._named(rows, "endpoints", "name"):
            current = stored.get(name)
            body = {**defaults_of(EndpointChange), **row}
            if "api_key" in body:
                key = self._secret(body.pop("api_key"), f"{place}.api_key", kept=bool(current and current.sealed_key))
                body |= {"clear_api_key": True} if key is None else {"api_key": key} if key is not MASK else {}
            form = self._read(EndpointChange if current else NewEndpoint, body, place)
            if form is None:
                continue
            try:
                changes = form.changes(current) | form.key_changes(_Unsealed(), current.id if current else 0)
                after = replace(current, **changes) if current else EndpointRecord(**changes)
                if current:
                    check_key(current, after)
                    check_users(current, after, found.virtual_models)
            except (InvalidFields, InvalidRequest) as invalid:
                self._refuse(place, invalid)
                continue
            if current is not None:
                self._endpoints_after[current.id] = after
                self._step(record_entry(current, after), self._endpoint_change(current, form))
            else:
                ids[name] = _UNBORN + len(ids)
                self._endpoints_after[ids[name]] = after
                self._step(record_entry(None, after), self._endpoint_birth(form, ids))

    def _endpoint_change(self, current: EndpointRecord, form: EndpointChange) -> Callable[[], object]:
        def apply() -> object:
            changes = form.changes(current) | form.key_changes(self._sealer, current.id)
            return self._store.update_endpoint(current.id, changes, current.version)

        return apply

    def _endpoint_birth(self, form: EndpointChange, ids: dict[str, int]) -> Callable[[], object]:
        def apply() -> object:
            new_id = self._store.allocate_id("endpoint")
            record = EndpointRecord(id=new_id, **form.changes(None), **form.key_changes(self._sealer, new_id))
            ids[form.name] = self._store.create_endpoint(record).id
            return record

        return apply

    # -- virtual models ----------------------------------------------------------------------------------------------

    def _virtual_models(self, rows: list[dict[str, Any]], found: Written, ids: dict[str, int], *, prune: bool) -> None:
        models: list[ModelStep] = []
        stored = {each.name: each for each in found.virtual_models}
        for place, name, row in self._named(rows, "virtual_models", "name"):
            current = stored.get(name)
            body = {**defaults_of(VirtualModelChange), **row}
            if "custom_headers" in body:
                body["custom_headers"] = self._headers(body["custom_headers"], place, current)
            form_type = VirtualModelChange if current else NewVirtualModel
            form = self._read(form_type, {**body, "targets": self._targets(body, place, ids)}, place)
            if form is None:
                continue
            try:
                if current is not None:
                    changes = form.changes(current.value, lambda text, owner: b"another")
                    after = VirtualModelRecord(replace(current.value, **changes))
                    check_headers(current.value, after.value, self._endpoints_after)
                else:
                    after = VirtualModelRecord(form.value(lambda: 0, lambda text, owner: b"another"))
            except (InvalidFields, InvalidRequest) as invalid:
                self._refuse(place, invalid)
                continue
            before = current.names if current else ()
            apply = self._model_change(current, body, ids)
            models.append(ModelStep(place, before, after.names, record_entry(current, after), apply))
        listed = _texts(row.get("name") for row in rows)
        for model in found.virtual_models:
            if model.name not in listed:
                entry = record_entry(model, None if prune else model)
                delete = partial(self._store.delete_virtual_model, model.id, model.version)
                models.append(ModelStep("virtual_models", model.names, () if prune else model.names, entry, delete))
        ordered, stuck = in_order(models)
        self._wrong += given_twice(models) or stuck
        for each in ordered:
            self._step(each.entry, each.apply)

    def _model_change(
        self, current: VirtualModelRecord | None, body: dict[str, Any], ids: dict[str, int]
    ) -> Callable[[], object]:
        def apply() -> object:
            # by now the endpoints that the import makes have their ids
            targets = self._targets(body, "", ids)
            if current is None:
                new = NewVirtualModel.model_validate({**body, "targets": targets})
                value = new.value(lambda: self._store.allocate_id("virtual_model"), self._seal)
                return self._store.create_virtual_model(value)
            form = VirtualModelChange.model_validate({**body, "targets": targets})
            return self._store.update_virtual_model(
                current.id, form.changes(current.value, self._seal), current.version
            )

        return apply

    def _seal(self, text: str, owner: int) -> bytes:
        return self._sealer.seal(text, owner, "virtual_model")

    def _targets(self, body: Mapping[str, Any], place: str, ids: Mapping[str, int]) -> list[Any]:
        targets = body.get("targets")
        if not isinstance(targets, list):
            self._wrong.append(FieldError(f"{place}.targets", "is required: a list of endpoint and actual_model"))
            return []
        found = []
        for number, target in enumerate(targets):
            name = target.get("endpoint") if isinstance(target, dict) else None
            if not isinstance(name, str) or name not in ids:
                shown = f" {name[:100]!r}" if isinstance(name, str) else ""
                self._wrong.append(FieldError(f"{place}.targets[{number}].endpoint", f"there is no endpoint{shown}"))
                continue
            found.append(
                {**{key: value for key, value in target.items() if key != "endpoint"}, "endpoint_id": ids[name]}
            )
        return found

    def _headers(self, headers: Any, place: str, current: VirtualModelRecord | None) -> Any:
        if not isinstance(headers, dict) or not all(isinstance(name, str) for name in headers):
            return headers
        sealed = {name.lower() for name in current.value.sealed_headers} if current else set()
        found = {}
        for name, value in headers.items():
            if isinstance(value, dict) or value is None:
                value = self._secret(value, f"{place}.custom_headers.{name}", kept=name.lower() in sealed) or ""
            found[name] = value
        return found

    # -- the others --------------------------------------------------------------------------------------------------

    def _tool_patterns(self, rows: list[dict[str, Any]], found: Written) -> None:
        stored = {each.name: each for each in found.tool_patterns}
        for place, name, row in self._named(rows, "tool_patterns", "pattern_name"):
            current = stored.get(name)
            form = self._read(
                ToolPatternChange if current else NewToolPattern, {**defaults_of(ToolPatternChange), **row}, place
            )
            if form is None:
                continue
            try:
                if isinstance(form, NewToolPattern):
                    record = form.record()
                    self._step(record_entry(None, record), partial(self._store.create_tool_pattern, record))
                elif current is not None:
                    changes = form.changes(current)
                    self._step(
                        record_entry(current, replace(current, **changes)),
                        partial(self._store.update_tool_pattern, current.id, changes, current.version),
                    )
            except InvalidFields as invalid:
                self._refuse(place, invalid)

    def _formats(self, on: frozenset[str], off: frozenset[str], current: FormatSwitches) -> None:
        unknown = sorted((on | off) - BY_ID.keys())
        self._wrong += [FieldError("formats", f"there is no built-in format {name[:100]!r}") for name in unknown]
        if both := sorted(on & off):
            self._wrong.append(FieldError("formats", f"{both[0]} is both on and off"))
        after = FormatSwitches(on, off)
        for name, row in BY_ID.items():
            enabled = _is_on(name, row.on, after)
            if enabled != _is_on(name, row.on, current):
                one = FormatSwitches(*current.switched(name, enabled))
                self._step(
                    formats_entry(current, one),
                    partial(self._store.switch_format, name, enabled),
                )

    def _settings(self, wanted: dict[str, Any], found: Written) -> None:
        form = self._read(SettingsChange, {**dict.fromkeys(ROWS), **wanted}, "settings")
        if form is None:
            return
        changes = form.given(*ROWS)
        before = {name: value for name, value in found.settings._asdict().items() if value is not None}
        after = {name: value for name, value in changes.items() if value is not None}
        self._step(settings_entry(before, after), partial(self._store.change_settings, changes))

    def _prune(self, wanted: Document, found: Written) -> None:
        """Of the parts that the document has, what it does not list; endpoints last, for models point at them."""
        staying = found.virtual_models if wanted.virtual_models is None else []
        patterns = _texts(row.get("pattern_name") for row in wanted.tool_patterns or ())
        for pattern in found.tool_patterns if wanted.tool_patterns is not None else ():
            if pattern.name not in patterns:
                self._step(
                    record_entry(pattern, None),
                    partial(self._store.delete_tool_pattern, pattern.id, pattern.version),
                )
        endpoints = _texts(row.get("name") for row in wanted.endpoints or ())
        targets = [row["targets"] for row in wanted.virtual_models or () if isinstance(row.get("targets"), list)]
        used = _texts(target.get("endpoint") for each in targets for target in each if isinstance(target, dict))
        for endpoint in found.endpoints if wanted.endpoints is not None else ():
            if endpoint.name in endpoints:
                continue
            users = [model.name for model in staying if _uses(model.value, endpoint.id)]
            if endpoint.name in used or users:
                self._wrong.append(
                    FieldError("endpoints", f"{endpoint.name} is not listed, but virtual models have it as a target")
                )
            self._step(
                record_entry(endpoint, None),
                partial(self._store.delete_endpoint, endpoint.id, expected=endpoint.version),
            )

    # -- parts -------------------------------------------------------------------------------------------------------

    def _step(self, entry: Entry, apply: Callable[[], object]) -> None:
        if entry.changes:
            self._steps.append(Step(entry, apply))

    def _named(self, rows: list[dict[str, Any]], part: str, field: str) -> Iterable[tuple[str, str, dict[str, Any]]]:
        seen: set[str] = set()
        for number, row in enumerate(rows):
            place, name = f"{part}[{number}]", row.get(field)
            if not isinstance(name, str) or not name.strip():
                self._wrong.append(FieldError(f"{place}.{field}", "is required"))
            elif name.strip() in seen:
                self._wrong.append(FieldError(f"{place}.{field}", f"{name[:100]!r} is there twice"))
            else:
                seen.add(name.strip())
                yield place, name.strip(), row

    def _read(self, form: type[_F], body: Mapping[str, Any], place: str) -> _F | None:
        try:
            return form.model_validate(body)  # type: ignore[attr-defined,no-any-return]
        except ValidationError as error:
            self._wrong += field_errors((dict(each) for each in error.errors(include_input=False)), (place,))
            return None

    def _refuse(self, place: str, invalid: InvalidFields | InvalidRequest) -> None:
        if isinstance(invalid, InvalidRequest):
            self._wrong.append(FieldError(f"{place}.{invalid.param}", invalid.message))
        else:
            self._wrong += [FieldError(f"{place}.{each.field}", each.message) for each in invalid.fields]

    def _secret(self, told: Any, place: str, *, kept: bool) -> str | None:
        """The secret, MASK for the stored one, or None for none."""
        match told:
            case None:
                return None
            case {"keep": True} if len(told) == 1:
                if not kept:
                    self._wrong.append(FieldError(place, "none is stored: name one with {env: NAME}"))
                return MASK
            case {"env": str(name)} if len(told) == 1:
                if not self._secrets.get(name):
                    self._wrong.append(FieldError(place, f"the import brings no secret {name[:100]!r} along"))
                return self._secrets.get(name) or MASK
            case _:
                self._wrong.append(FieldError(place, "must be {keep: true}, {env: NAME} or null, never the secret"))
                return MASK


def _texts(values: Iterable[Any]) -> set[str]:
    """What can be a name; what cannot is told where it stands."""
    return {value.strip() for value in values if isinstance(value, str)}


def _is_on(name: str, by_default: bool, switches: FormatSwitches) -> bool:
    return name not in switches.off and (by_default or name in switches.on)


def _uses(model: VirtualModel, endpoint_id: int) -> bool:
    return any(target.endpoint_id == endpoint_id for target in model.targets)


def _with_names(entry: Entry, names: Mapping[int, str]) -> Entry:
    """Targets by their endpoints' names, as the document has them."""

    def named(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [
            {"endpoint": names.get(each["endpoint_id"], each["endpoint_id"]), "actual_model": each["actual_model"]}
            for each in value
        ]

    changes = [
        {**each, "before": named(each["before"]), "after": named(each["after"])} if each["field"] == "targets" else each
        for each in entry.changes
    ]
    return entry._replace(changes=changes)
