from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from shared.errors import InvalidRequest, StoreUnavailable
from shared.gateway.catalog import TargetSpec, VirtualModel
from shared.store.config_records import EndpointRecord
from shared.store.config_store import ConfigStore
from shared.store.refusals import Conflict, DuplicateName, InUse, NotFound
from shared.store.tables import Tables


def an_endpoint(**overrides: object) -> EndpointRecord:
    return replace(EndpointRecord(name="ollama", url="http://127.0.0.1:11434", endpoint_type="ollama"), **overrides)


def a_virtual_model(*endpoint_ids: int, **overrides: object) -> VirtualModel:
    targets = tuple(TargetSpec(endpoint_id, "qwen3") for endpoint_id in endpoint_ids)
    return replace(VirtualModel(id=0, name="fast", targets=targets), **overrides)


def test_an_endpoint_reads_back_as_it_was_written(store: ConfigStore) -> None:
    written = store.create_endpoint(
        an_endpoint(
            sealed_key=b"\x00\xff sealed",
            key_hint="7f3a",
            priority=-5,
            enabled=False,
            options={"num_ctx": 8192, "seed": 2**70, "nested": {"list": [1, 2.5, None, "ü"]}},
        )
    )
    assert (written.id, written.version, written.created_at, written.updated_at) == (1, 1, 1_700_000_000, 1_700_000_000)
    assert store.get_endpoint(1) == written
    assert store.list_endpoints() == [written]


def test_a_virtual_model_reads_back_exactly(store: ConfigStore) -> None:
    endpoint = store.create_endpoint(an_endpoint())
    written = store.create_virtual_model(
        a_virtual_model(
            endpoint.id,
            temperature=0,
            top_p=0.0,
            max_tokens=0,
            custom_headers={"X-Title": "t"},
            cost_per_1m_tokens_in=Decimal("0.10"),
            cost_per_1m_tokens_out=Decimal("1E-6"),
            cost_per_1m_tokens_in_cached=Decimal("0"),
        )
    )
    read = store.get_virtual_model(written.id)
    assert read == written
    assert read.value.max_tokens == 0
    assert read.value.temperature == 0
    assert str(read.value.cost_per_1m_tokens_in) == "0.10"
    assert read.value.cost_per_1m_tokens_in_cached == 0
    assert read.value.cost_per_1m_tokens_out_cached is None
    assert read.value.targets == (TargetSpec(endpoint.id, "qwen3"),)


@pytest.mark.parametrize("document", [None, "{}", "[]", "no JSON", '{"name": "x", "url": "http://x", "more": 1}'])
def test_a_record_that_cannot_be_read_takes_no_other_with_it(
    store: ConfigStore, tables: Tables, document: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    kept = store.create_endpoint(EndpointRecord(name="kept", url="http://kept", endpoint_type="openai"))
    tables.config("config", "endpoint#0000000099", document=document).save()
    assert list(store.load_catalog().endpoints) == [kept.id]
    assert [each.name for each in store.list_endpoints()] == ["kept"]
    assert "endpoint#0000000099" in caplog.text


def test_absent_stays_absent(store: ConfigStore) -> None:
    store.create_virtual_model(a_virtual_model())
    read = store.get_virtual_model(1).value
    assert (read.max_tokens, read.temperature, read.top_p, read.system_prompt) == (None, None, None, None)


def test_ids_are_never_given_twice(store: ConfigStore) -> None:
    first = store.create_endpoint(an_endpoint())
    store.delete_endpoint(first.id)
    assert store.create_endpoint(an_endpoint()).id == first.id + 1


def test_a_name_is_taken_once_per_kind(store: ConfigStore) -> None:
    store.create_endpoint(an_endpoint(name="fast"))
    store.create_virtual_model(a_virtual_model(name="fast"))
    with pytest.raises(DuplicateName, match="another endpoint is named 'fast'"):
        store.create_endpoint(an_endpoint(name="fast"))
    with pytest.raises(DuplicateName):
        store.create_virtual_model(a_virtual_model(name="fast"))
    assert len(store.list_endpoints()) == len(store.list_virtual_models()) == 1


def test_a_rename_frees_the_old_name_and_takes_the_new_one(store: ConfigStore) -> None:
    first = store.create_endpoint(an_endpoint(name="a"))
    second = store.create_endpoint(an_endpoint(name="b"))
    with pytest.raises(DuplicateName):
        store.update_endpoint(second.id, {"name": "a"})
    store.update_endpoint(first.id, {"name": "c"})
    assert store.update_endpoint(second.id, {"name": "a"}).name == "a"
    assert [each.name for each in store.list_endpoints()] == ["a", "c"]
    store.delete_endpoint(second.id)
    assert store.create_endpoint(an_endpoint(name="a")).name == "a"


def test_an_update_changes_what_it_names_and_keeps_the_rest(store: ConfigStore) -> None:
    created = store.create_endpoint(an_endpoint(sealed_key=b"sealed", key_hint="7f3a", options={"a": 1}))
    changed = store.update_endpoint(created.id, {"priority": 9})
    assert changed == replace(created, priority=9, version=2)
    assert store.get_endpoint(created.id) == changed
    assert store.update_endpoint(created.id, {"sealed_key": None, "key_hint": None}).sealed_key is None
    assert store.get_endpoint(created.id).sealed_key is None


def test_an_update_for_an_old_version_is_refused_with_the_current_record(store: ConfigStore) -> None:
    created = store.create_endpoint(an_endpoint())
    current = store.update_endpoint(created.id, {"priority": 1}, expected=created.version)
    with pytest.raises(Conflict) as refused:
        store.update_endpoint(created.id, {"priority": 2}, expected=created.version)
    assert refused.value.current == current
    with pytest.raises(Conflict):
        store.delete_endpoint(created.id, expected=created.version)
    assert store.get_endpoint(created.id) == current


def test_unknown_ids_are_not_found(store: ConfigStore) -> None:
    for attempt in (
        lambda: store.get_endpoint(7),
        lambda: store.update_endpoint(7, {"priority": 1}),
        lambda: store.delete_endpoint(7),
        lambda: store.delete_endpoint(7, cascade=True),
        lambda: store.get_virtual_model(7),
        lambda: store.update_virtual_model(7, {"enabled": False}),
        lambda: store.delete_virtual_model(7),
    ):
        with pytest.raises(NotFound, match="with id 7"):
            attempt()


def test_a_target_must_exist(store: ConfigStore) -> None:
    with pytest.raises(InvalidRequest, match="no endpoint with id 3"):
        store.create_virtual_model(a_virtual_model(3))
    model = store.create_virtual_model(a_virtual_model())
    with pytest.raises(InvalidRequest, match="no endpoint with id 3"):
        store.update_virtual_model(model.id, {"targets": (TargetSpec(3, "m"),)})
    assert store.get_virtual_model(model.id).value.targets == ()


def test_an_endpoint_in_use_is_kept_and_says_by_whom(store: ConfigStore) -> None:
    endpoint = store.create_endpoint(an_endpoint())
    store.create_virtual_model(a_virtual_model(endpoint.id, name="b"))
    store.create_virtual_model(a_virtual_model(endpoint.id, name="a"))
    with pytest.raises(InUse) as refused:
        store.delete_endpoint(endpoint.id)
    assert sorted(refused.value.names) == ["a", "b"]
    assert store.get_endpoint(endpoint.id) == endpoint


def test_a_cascade_deletes_the_lonely_and_retargets_the_others(store: ConfigStore) -> None:
    gone, kept = (store.create_endpoint(an_endpoint(name=name)) for name in ("gone", "kept"))
    store.create_virtual_model(a_virtual_model(gone.id, name="lonely"))
    store.create_virtual_model(a_virtual_model(gone.id, kept.id, name="both"))
    before = store.read_version()
    store.delete_endpoint(gone.id, cascade=True)
    assert [each.name for each in store.list_endpoints()] == ["kept"]
    (left,) = store.list_virtual_models()
    assert (left.name, left.value.targets, left.version) == ("both", (TargetSpec(kept.id, "qwen3"),), 2)
    assert store.read_version() == before + 1
    assert store.create_virtual_model(a_virtual_model(name="lonely")).name == "lonely"


def test_a_cascade_beyond_one_transaction_leaves_nothing_dangling(store: ConfigStore) -> None:
    endpoint = store.create_endpoint(an_endpoint())
    for number in range(60):
        store.create_virtual_model(a_virtual_model(endpoint.id, name=f"m{number}"))
    store.delete_endpoint(endpoint.id, cascade=True)
    assert store.list_endpoints() == store.list_virtual_models() == []


def test_every_change_counts_the_version_up(store: ConfigStore) -> None:
    versions = [store.read_version()]
    endpoint = store.create_endpoint(an_endpoint())
    versions.append(store.read_version())
    store.update_endpoint(endpoint.id, {"priority": 1})
    versions.append(store.read_version())
    model = store.create_virtual_model(a_virtual_model(endpoint.id))
    versions.append(store.read_version())
    store.delete_virtual_model(model.id)
    versions.append(store.read_version())
    with pytest.raises(DuplicateName):
        store.create_endpoint(an_endpoint())
    versions.append(store.read_version())
    assert versions == [0, 1, 2, 3, 4, 4]


def test_the_catalog_is_what_the_data_path_needs(store: ConfigStore) -> None:
    endpoint = store.create_endpoint(an_endpoint(sealed_key=b"sealed", priority=3, options={"num_ctx": 1}))
    model = store.create_virtual_model(a_virtual_model(endpoint.id))
    catalog = store.load_catalog()
    assert catalog.version == 2
    assert catalog.endpoints == {endpoint.id: endpoint.endpoint()}
    assert catalog.endpoints[endpoint.id].sealed_key == b"sealed"
    assert catalog.virtual_models == {"fast": model.value}


def test_seeds_are_planted_once_and_an_edit_or_deletion_stays(store: ConfigStore) -> None:
    assert store.plant_seeds()
    catalog = store.load_catalog()
    (endpoint,) = catalog.endpoints.values()
    assert (endpoint.name, endpoint.type, endpoint.url) == ("demo", "demo", "demo://built-in")
    assert catalog.virtual_models["demo"].targets == (TargetSpec(endpoint.id, "demo"),)
    store.update_endpoint(endpoint.id, {"enabled": False})
    store.delete_virtual_model(catalog.virtual_models["demo"].id)
    assert not store.plant_seeds()
    assert store.get_endpoint(endpoint.id).enabled is False
    assert store.list_virtual_models() == []


def test_seeds_do_not_take_a_name_that_an_administrator_uses(store: ConfigStore) -> None:
    mine = store.create_endpoint(an_endpoint(name="demo"))
    assert not store.plant_seeds()
    assert store.list_endpoints() == [mine]


def test_secrets_are_not_in_any_repr() -> None:
    record = an_endpoint(sealed_key=b"sealed-bytes")
    assert "sealed" not in repr(record)
    assert "sealed" not in repr(record.endpoint())
    assert "sealed" not in str(Conflict(record))


def test_an_unreachable_store_is_unavailable() -> None:
    nobody = Tables("test", region="eu-central-1", endpoint="http://127.0.0.1:9")
    nobody.connection._aws_access_key_id = nobody.connection._aws_secret_access_key = "test"
    with pytest.raises(StoreUnavailable, match="EndpointConnectionError"):
        ConfigStore(nobody).load_catalog()


def test_an_alias_is_a_name_that_no_other_may_have(store: ConfigStore) -> None:
    endpoint = store.create_endpoint(an_endpoint())
    fast = store.create_virtual_model(a_virtual_model(endpoint.id, aliases=("quick", "gpt")))
    slow = store.create_virtual_model(a_virtual_model(endpoint.id, name="slow"))
    assert store.get_virtual_model(fast.id) == fast
    for changes, param in (({"name": "gpt"}, "name"), ({"aliases": ("fast",)}, "aliases")):
        with pytest.raises(DuplicateName) as refused:
            store.update_virtual_model(slow.id, changes)
        assert refused.value.param == param
    store.create_endpoint(an_endpoint(name="gpt"))  # another kind
    store.update_virtual_model(fast.id, {"aliases": ("gpt",)})
    store.update_virtual_model(slow.id, {"aliases": ("quick",)})
    store.delete_virtual_model(fast.id)
    store.update_virtual_model(slow.id, {"aliases": ("quick", "gpt", "fast")})


def test_the_catalog_knows_a_virtual_model_under_all_its_names(store: ConfigStore) -> None:
    endpoint = store.create_endpoint(an_endpoint())
    store.create_virtual_model(a_virtual_model(endpoint.id, aliases=("quick",)))
    found = store.load_catalog().virtual_models
    assert set(found) == {"fast", "quick"}
    assert found["fast"] is found["quick"]
    assert found["quick"].name == "fast"


def test_a_cascade_frees_every_name_however_many_there_are(store: ConfigStore) -> None:
    endpoint = store.create_endpoint(an_endpoint())
    for number in range(6):  # more names than one transaction holds
        aliases = tuple(f"alias-{number}-{each}" for each in range(16))
        store.create_virtual_model(a_virtual_model(endpoint.id, name=f"model-{number}", aliases=aliases))
    store.delete_endpoint(endpoint.id, cascade=True)
    assert store.list_virtual_models() == []
    assert store.list_endpoints() == []
    again = store.create_endpoint(an_endpoint())
    store.create_virtual_model(a_virtual_model(again.id, name="alias-5-15", aliases=("model-0",)))
