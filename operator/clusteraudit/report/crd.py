"""The CustomResourceDefinition, generated from the models: structural, bounded, described."""

from collections.abc import Mapping

from pydantic import BaseModel

from clusteraudit.report.resource import GROUP, KIND, PLURAL, VERSION, Report

Json = dict[str, object]
_KEPT = (
    "type",
    "description",
    "format",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "maxItems",
    "maxProperties",
    "default",
    "required",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
)
_COLUMNS = (
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0),
    ("Score", "integer", ".status.score", 0),
    ("Critical", "integer", ".status.summary.bySeverity.critical", 0),
    ("High", "integer", ".status.summary.bySeverity.high", 0),
    ("Medium", "integer", ".status.summary.bySeverity.medium", 0),
    ("Chains", "integer", ".status.summary.chains", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Low", "integer", ".status.summary.bySeverity.low", 1),
    ("Unknown", "integer", ".status.summary.unknown", 1),
    ("Nodes", "integer", ".status.nodes", 1),
    ("Pods", "integer", ".status.pods", 1),
    ("Last audit", "date", ".status.lastAuditTime", 1),
)


def crd() -> Json:
    """The definition of ClusterAuditReport."""
    names = {
        "plural": PLURAL,
        "singular": KIND.lower(),
        "kind": KIND,
        "listKind": f"{KIND}List",
        "shortNames": ["car"],
        "categories": ["audit"],
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(*one) for one in _COLUMNS],
        "schema": {"openAPIV3Schema": structural(Report)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Cluster", "names": names, "versions": [version]},
    }


def _column(name: str, kind: str, path: str, priority: int) -> Json:
    column: Json = {"name": name, "type": kind, "jsonPath": path}
    return {**column, "priority": priority} if priority else column


def structural(model: type[BaseModel]) -> Json:
    """The model's schema as Kubernetes takes it: no references, no titles, no unions with null."""
    schema = model.model_json_schema(by_alias=True)
    return _plain(schema, schema.get("$defs", {}))


def _plain(schema: Mapping[str, object], defs: Mapping[str, Json]) -> Json:
    schema = _resolved(schema, defs)
    kept: Json = {key: schema[key] for key in _KEPT if key in schema}
    if kept.get("default") is None or isinstance(kept["default"], dict):
        kept.pop("default", None)
    properties, items = schema.get("properties"), schema.get("items")
    if isinstance(properties, dict):
        kept["properties"] = {name: _plain(one, defs) for name, one in properties.items()}
    if isinstance(items, dict):
        kept["items"] = _plain(items, defs)
        kept.setdefault("x-kubernetes-list-type", "atomic")
    return kept | _free(schema, defs)


def _resolved(schema: Mapping[str, object], defs: Mapping[str, Json]) -> Json:
    """References followed; of `X or null` only X, since absent is how null is said."""
    resolved = dict(schema)
    branches = resolved.pop("anyOf", None)
    if isinstance(branches, list):
        chosen = next(one for one in branches if one.get("type") != "null")
        resolved = {**chosen, **resolved}
    name = str(resolved.pop("$ref", "")).rpartition("/")[2]
    if name:
        resolved = {**_resolved(defs[name], defs), **resolved}
    return resolved


def _free(schema: Mapping[str, object], defs: Mapping[str, Json]) -> Json:
    """Maps: by value where values have a type, else whatever the user writes."""
    if schema.get("type") != "object" or "properties" in schema:
        return {}
    names = schema.get("propertyNames")
    if isinstance(names, dict):
        keys = _resolved(names, defs).get("enum")
        value = schema.get("additionalProperties")
        if isinstance(keys, list) and isinstance(value, dict):
            return {"properties": {key: _plain(value, defs) for key in keys}}
    return {"x-kubernetes-preserve-unknown-fields": True}
