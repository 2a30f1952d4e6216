"""The configuration as one document: exported, compared, and imported."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Response
from pydantic import BaseModel, Field

from functions.admin_config.document import Written, read, write
from functions.admin_config.plan import Planner, Step
from shared.errors import InvalidRequest
from shared.store.audit import Action, Subject
from shared.store.config_store import ConfigStore
from shared.store.refusals import Refusal
from shared.store.seal import Sealer
from shared.web.admin_access import Access
from shared.web.admin_app import admin_app, serve
from shared.web.admin_errors import AdminRefusal
from shared.web.admin_fields import Form

EXPORT = ("/api/admin/config/export",)
IMPORT = ("/api/admin/config/import",)
MAX_BODY_BYTES = 4 << 20
_YAML = {200: {"content": {"application/yaml": {"schema": {"type": "object"}}}}}


class Import(Form):
    document: Annotated[str, Field(max_length=2 << 20, description="the YAML text, as the export gives it")]
    secrets: dict[str, Annotated[str, Field(max_length=8_192)]] = Field(
        default_factory=dict, max_length=500, repr=False, description="what `{env: NAME}` in the document stands for"
    )


class PlannedField(BaseModel):
    field: str
    before: Any
    after: Any


class PlannedChange(BaseModel):
    """One record's change, with secrets masked."""

    action: Action
    kind: Subject
    name: str
    changes: list[PlannedField]


class ImportResult(BaseModel):
    """With `dry_run` these are the changes that an import would make, else those that it has made."""

    dry_run: bool
    changes: list[PlannedChange]


def admin_config_app(store: ConfigStore, sealer: Sealer, access: Access) -> FastAPI:
    app = admin_app("Configuration", access, max_body_bytes=MAX_BODY_BYTES)
    configuration = _Configuration(store, sealer)
    serve(app, "GET", EXPORT, configuration.export, response_class=Response, responses=_YAML)
    serve(app, "POST", IMPORT, configuration.take)
    return app


class _Configuration:
    """The handlers; blocking, FastAPI runs them in threads."""

    def __init__(self, store: ConfigStore, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer

    def export(self) -> Response:
        """Endpoints, virtual models, tool patterns, formats and settings as YAML; secrets as `{keep: true}`. Client
        keys are not in it: nobody could use them elsewhere."""
        text = write(self._written())
        headers = {"content-disposition": 'attachment; filename="serverless-proxy.yaml"'}
        return Response(text, media_type="application/yaml", headers=headers)

    def take(self, given: Import, dry_run: bool = False, prune: bool = False) -> ImportResult:
        """Make the configuration what the document says. Records are known by their names; one that it lists is as it
        says, and what it leaves out of one has its default, but a key or headers stay. With `prune`, what it does not
        list is deleted. With `dry_run` nothing is written.

        422 with every fault before anything is written. A record that somebody else changes meanwhile stops the
        import: 409, and another one goes on from there.
        """
        steps = Planner(self._store, self._sealer, given.secrets).plan(
            read(given.document), self._written(), prune=prune
        )
        if not dry_run:
            for done, step in enumerate(steps):
                try:
                    step.apply()
                except (Refusal, InvalidRequest) as refusal:
                    text = f"{done} of {len(steps)} changes are made, {step.entry.name} is not: {refusal.message}"
                    made = [_row(each).model_dump() for each in steps[:done]]
                    raise AdminRefusal(409, text, {"changes": made}) from None
        return ImportResult(dry_run=dry_run, changes=list(map(_row, steps)))

    def _written(self) -> Written:
        patterns, formats = self._store.list_tool_patterns()
        return Written(
            self._store.list_endpoints(),
            self._store.list_virtual_models(),
            patterns,
            formats,
            self._store.get_settings().value,
        )


def _row(step: Step) -> PlannedChange:
    entry = step.entry
    return PlannedChange(
        action=entry.action,
        kind=entry.kind,
        name=entry.name,
        changes=[PlannedField(**each) for each in entry.changes],
    )
