"""The embedded tables against moto's own: the same answers, and nothing left of a refused transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.core.request import Request
from moto.dynamodb.responses import DynamoHandler

from infra.local.store_disk import DamagedFile, RedoFile
from infra.local.store_engine import Engine
from shared import wire

NAMES = st.sampled_from(["a", "a#", "a#1", "b", "ba", "é", "z", "\U0001f600", "a\uffff"])
NO_VALUE = st.just(())
CONDITIONS = st.one_of(
    st.tuples(st.just(""), NO_VALUE),
    st.tuples(st.sampled_from(["#s = :1", "#s < :1", "#s <= :1", "#s > :1", "#s >= :1"]), st.tuples(NAMES)),
    st.tuples(st.just("begins_with(#s, :1)"), st.tuples(NAMES)),
    st.tuples(st.just("#s BETWEEN :1 AND :2"), st.tuples(NAMES, NAMES).map(lambda pair: tuple(sorted(pair)))),
)
TABLE = {
    "TableName": "t",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("p", "s")],
    "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
}


def ask_plain_moto(operation: str, body: dict[str, Any]) -> Any:
    headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Host": "dynamodb.eu-west-3.amazonaws.com"}
    url = "http://dynamodb.eu-west-3.amazonaws.com/"
    return wire.loads(DynamoHandler.dispatch(Request.from_primitives("POST", url, headers, wire.dumps(body)))[2])


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(RedoFile(tmp_path))
    engine.ensure_table("t", "p", "s")
    yield engine
    engine.close()


def ask(engine: Engine, operation: str, **body: Any) -> Any:
    return wire.loads(engine.call(operation, wire.dumps({"TableName": "t", **body})).body)


def walk(query: Callable[[dict[str, Any]], Any], limit: int | None) -> list[Any]:
    """All items, page by page. How many pages is no matter: a full last page may or may not name a next, empty one."""
    items: list[Any] = []
    start: dict[str, Any] = {}
    while True:
        page = query(start)
        assert limit is None or len(page["Items"]) <= limit
        items += page["Items"]
        if "LastEvaluatedKey" not in page:
            return items
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        assert len(items) < 100, "the pages do not end"


def an_item(partition: str, sort: str, **attributes: Any) -> dict[str, Any]:
    return {"p": {"S": partition}, "s": {"S": sort}, **attributes}


@given(
    puts=st.lists(st.tuples(st.sampled_from(["x", "y"]), NAMES), max_size=12),
    deletes=st.lists(st.tuples(st.sampled_from(["x", "y"]), NAMES), max_size=4),
    condition=CONDITIONS,
    limit=st.none() | st.integers(1, 4),
    forward=st.booleans(),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_query_finds_what_moto_finds(
    engine: Engine,
    puts: list[tuple[str, str]],
    deletes: list[tuple[str, str]],
    condition: tuple[str, tuple[str, ...]],
    limit: int | None,
    forward: bool,
) -> None:
    ask_plain_moto("CreateTable", TABLE)
    for operation, keys in [("PutItem", puts), ("DeleteItem", deletes)]:
        for partition, sort in keys:
            body = {"Item" if operation == "PutItem" else "Key": an_item(partition, sort)}
            ask(engine, operation, **body)
            ask_plain_moto(operation, {"TableName": "t", **body})
    expression, values = condition
    query: dict[str, Any] = {
        "KeyConditionExpression": "#p = :0" + (f" AND {expression}" if expression else ""),
        "ExpressionAttributeNames": {"#p": "p", **({"#s": "s"} if expression else {})},
        "ExpressionAttributeValues": {f":{n}": {"S": value} for n, value in enumerate(("x", *values))},
        "ScanIndexForward": forward,
        **({"Limit": limit} if limit else {}),
    }
    try:
        expected = walk(lambda page: ask_plain_moto("Query", {"TableName": "t", **query, **page}), limit)
        assert walk(lambda page: ask(engine, "Query", **query, **page), limit) == expected
    finally:
        ask_plain_moto("DeleteTable", {"TableName": "t"})
        for partition, sort in puts:
            ask(engine, "DeleteItem", Key=an_item(partition, sort))


def count_up(sort: str) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": "t",
            "Key": an_item("x", sort),
            "UpdateExpression": "ADD n :1",
            "ExpressionAttributeValues": {":1": {"N": "1"}},
        }
    }


def test_a_refused_transaction_leaves_nothing_in_memory_or_on_disk(engine: Engine, tmp_path: Path) -> None:
    ask(engine, "PutItem", Item=an_item("x", "old", n={"N": "1"}))
    before = (next(tmp_path.iterdir())).read_bytes()
    refused = {"Put": {"TableName": "t", "Item": an_item("x", "old"), "ConditionExpression": "attribute_not_exists(p)"}}
    new = {"Put": {"TableName": "t", "Item": an_item("x", "new")}}
    answer = ask(engine, "TransactWriteItems", TransactItems=[count_up("counter"), new, refused])
    assert answer["__type"].endswith("TransactionCanceledException")
    assert [reason["Code"] for reason in answer["CancellationReasons"]][-1] == "ConditionalCheckFailed"
    ask(engine, "PutItem", Item=an_item("x", "counter", n={"N": "7"}))
    refused["Put"]["Item"] = an_item("x", "old")
    ask(engine, "TransactWriteItems", TransactItems=[count_up("counter"), refused])
    assert ask(engine, "GetItem", Key=an_item("x", "counter"))["Item"]["n"] == {"N": "7"}
    assert "Item" not in ask(engine, "GetItem", Key=an_item("x", "new"))
    after = (next(tmp_path.iterdir())).read_bytes()
    assert after.startswith(before)
    assert after[len(before) :].count(b"\n") == 1


def test_a_transaction_that_is_asked_for_again_is_done_once(engine: Engine) -> None:
    """As a client does whose patience ended before the answer came."""
    new = {"Put": {"TableName": "t", "Item": an_item("x", "new"), "ConditionExpression": "attribute_not_exists(p)"}}
    asked = {"TransactItems": [count_up("counter"), new], "ClientRequestToken": "one"}
    ask(engine, "PutItem", Item=an_item("x", "counter", n={"N": "1"}))
    answers = [ask(engine, "TransactWriteItems", **asked) for _ in range(3)]
    assert answers == [answers[0]] * 3
    assert "__type" not in answers[0]
    assert ask(engine, "GetItem", Key=an_item("x", "counter"))["Item"]["n"] == {"N": "2"}
    refused = ask(engine, "TransactWriteItems", **{**asked, "ClientRequestToken": "another"})
    assert refused["__type"].endswith("TransactionCanceledException")


def test_every_kind_of_value_survives_the_disk(engine: Engine, tmp_path: Path) -> None:
    item = an_item(
        "x",
        "all",
        text={"S": "ü\n"},
        number={"N": "-1.5E+20"},
        binary={"B": "AP8="},
        truth={"BOOL": False},
        nothing={"NULL": True},
        nested={"M": {"l": {"L": [{"N": "1"}, {"B": "AQ=="}]}}},
        sets={"SS": ["a"]},
        binaries={"BS": ["AP8="]},
    )
    ask(engine, "PutItem", Item=item)
    written = ask(engine, "GetItem", Key=an_item("x", "all"))["Item"]
    assert written == item
    engine.close()
    again = Engine(RedoFile(tmp_path))
    assert ask(again, "GetItem", Key=an_item("x", "all"))["Item"] == item
    again.close()


def test_the_file_is_rewritten_when_it_has_grown_and_says_the_same(engine: Engine, tmp_path: Path) -> None:
    for number in range(40):
        ask(engine, "PutItem", Item=an_item("x", f"s{number % 5}", pad={"S": "y" * 60_000}, n={"N": str(number)}))
    ask(engine, "DeleteItem", Key=an_item("x", "s0"))
    (file,) = tmp_path.iterdir()
    assert file.name > "tables-00000001.jsonl"
    assert file.stat().st_size < 2_000_000
    engine.close()
    again = Engine(RedoFile(tmp_path))
    found = ask(
        again,
        "Query",
        KeyConditionExpression="p = :p",
        ExpressionAttributeValues={":p": {"S": "x"}},
    )
    assert [(item["s"]["S"], item["n"]["N"]) for item in found["Items"]] == [
        ("s1", "36"),
        ("s2", "37"),
        ("s3", "38"),
        ("s4", "39"),
    ]
    again.close()


def test_a_kill_between_the_new_file_and_the_old_ones_end_is_harmless(tmp_path: Path) -> None:
    (tmp_path / "tables-00000001.jsonl").write_bytes(b'[["old"]]\n')
    (tmp_path / "tables-00000002.jsonl").write_bytes(b'[["new"]]\n')
    (tmp_path / "tables-00000003.draft").write_bytes(b'[["half')
    redo = RedoFile(tmp_path)
    assert list(redo.read()) == [[["new"]]]
    redo.rewrite([[["newer"]]])
    assert list(redo.read()) == [[["newer"]]]
    redo.close()


def test_what_the_disk_refuses_is_not_in_memory_either(tmp_path: Path) -> None:
    class FullRedo(RedoFile):
        full = False

        def append(self, changes: list[Any]) -> None:
            if self.full:
                raise OSError("no space left")
            super().append(changes)

    redo = FullRedo(tmp_path)
    engine = Engine(redo)
    engine.ensure_table("t", "p", "s")
    ask(engine, "PutItem", Item=an_item("x", "kept", n={"N": "1"}))
    redo.full = True
    with pytest.raises(OSError, match="no space left"):
        ask(engine, "PutItem", Item=an_item("x", "lost"))
    redo.full = False
    assert "Item" not in ask(engine, "GetItem", Key=an_item("x", "lost"))
    assert ask(engine, "GetItem", Key=an_item("x", "kept"))["Item"]["n"] == {"N": "1"}
    ask(engine, "PutItem", Item=an_item("x", "next"))
    engine.close()


def test_damage_in_the_middle_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "tables-00000001.jsonl").write_bytes(b'[["create"\n[]\n')
    with pytest.raises(DamagedFile, match="line 1"):
        list(RedoFile(tmp_path).read())
