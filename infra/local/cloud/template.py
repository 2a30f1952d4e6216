"""The synthesized template: what of it the emulated AWS can make, and what API Gateway and Lambda do with the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from shared import wire

Resource: TypeAlias = Mapping[str, Any]

# What moto makes. API Gateway is read from the template here: moto knows no response streaming.
_MADE = frozenset(
    "AWS::" + name
    for name in (
        "DynamoDB::Table", "IAM::Role", "IAM::Policy", "KMS::Key", "KMS::Alias", "Lambda::Function", "Logs::LogGroup",
        "SNS::Topic", "SQS::Queue",
    )
)  # fmt: skip
_ARN_OF_NOTHING = "arn:aws:none:::nothing"


class Assembly(NamedTuple):
    """What `cdk synth` leaves behind: the template, and each function's bundle by the key under which it would lie."""

    body: Mapping[str, Any]
    bundles: Mapping[str, Path]

    def of_type(self, kind: str) -> dict[str, Resource]:
        """The properties of every resource of the type, by logical id."""
        resources = self.body["Resources"]
        return {name: each.get("Properties", {}) for name, each in resources.items() if each["Type"] == kind}

    def bundle(self, function: Resource) -> Path:
        return self.bundles[function["Code"]["S3Key"]]


def read_assembly(folder: Path) -> Assembly:
    (template,) = folder.glob("*.template.json")
    (manifest,) = folder.glob("*.assets.json")
    bundles = {
        destination["objectKey"]: folder / asset["source"]["path"]
        for asset in wire.loads(manifest.read_bytes())["files"].values()
        for destination in asset["destinations"].values()
    }
    return Assembly(wire.loads(template.read_bytes()), bundles)


def made_here(assembly: Assembly, stand_ins: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """The template of what moto makes. What refers to anything else is given a stand-in, by the type of the resource
    and the attribute (`Ref` for its name), or the ARN of nothing."""
    resources = assembly.body["Resources"]
    gone = {name: each["Type"] for name, each in resources.items() if each["Type"] not in _MADE}

    def settled(value: Any) -> Any:
        if isinstance(value, dict):
            if value.keys() == {"Ref"} and value["Ref"] in gone:
                return stand_ins.get((gone[value["Ref"]], "Ref"), _ARN_OF_NOTHING)
            if value.keys() == {"Fn::GetAtt"} and value["Fn::GetAtt"][0] in gone:
                name, attribute = value["Fn::GetAtt"]
                return stand_ins.get((gone[name], attribute), _ARN_OF_NOTHING)
            return {key: settled(each) for key, each in value.items()}
        return [settled(each) for each in value] if isinstance(value, list) else value

    kept = {name: settled(each) for name, each in resources.items() if name not in gone}
    for each in kept.values():
        if "DependsOn" in each:
            each["DependsOn"] = [name for name in each["DependsOn"] if name not in gone]
    return {"Resources": kept}


class Method(NamedTuple):
    """A method of the API. `function` is the logical id of the function that it calls; None: API Gateway answers."""

    path: str
    verb: str
    function: str | None
    streams: bool
    timeout_seconds: float
    guarded: bool
    integration: Mapping[str, Any]


def methods_of(assembly: Assembly) -> Iterator[Method]:
    """Raises ValueError for an integration that is not emulated."""
    resources = assembly.of_type("AWS::ApiGateway::Resource")

    def path_of(reference: Mapping[str, Any]) -> str:
        if "Ref" not in reference:  # the root
            return ""
        resource = resources[reference["Ref"]]
        return f"{path_of(resource['ParentId'])}/{resource['PathPart']}"

    for properties in assembly.of_type("AWS::ApiGateway::Method").values():
        integration = properties["Integration"]
        function, streams = None, False
        if integration["Type"] == "AWS_PROXY":
            function, streams = _invoked(assembly, integration)
        elif integration["Type"] != "MOCK":
            raise ValueError(f"an integration of type {integration['Type']}")
        yield Method(
            path_of(properties["ResourceId"]) or "/",
            properties["HttpMethod"],
            function,
            streams,
            integration.get("TimeoutInMillis", 29_000) / 1_000,
            properties.get("AuthorizationType", "NONE") != "NONE",
            integration,
        )


def _invoked(assembly: Assembly, integration: Mapping[str, Any]) -> tuple[str, bool]:
    """The function behind an integration's address, and whether it is asked to stream; both must agree on that."""
    parts = integration["Uri"]["Fn::Join"][1]
    words = "".join(part for part in parts if isinstance(part, str))
    streams = integration.get("ResponseTransferMode") == "STREAM"
    if streams != words.endswith("/response-streaming-invocations") or streams != (":lambda:path/2021-11-15/" in words):
        raise ValueError(f"the address of an integration does not fit its transfer mode: {words}")
    (named,) = (
        part.get("Ref") or part["Fn::GetAtt"][0]
        for part in parts
        if isinstance(part, dict) and not part.get("Ref", "").startswith("AWS::")
    )
    kind, properties = assembly.body["Resources"][named]["Type"], assembly.body["Resources"][named]["Properties"]
    if kind == "AWS::Lambda::Alias":
        named = properties["FunctionName"]["Ref"]
    return named, streams
