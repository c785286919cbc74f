"""The chart's generated files: rights, values with their schema and page, and a copy of the CRD."""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING, Any

import yaml

from clusteraudit.report.crd import crd, structural
from clusteraudit.report.resource import PLURAL, Spec
from clusteraudit.report.rights import REVIEWS, Right, election, rights, role
from tools.values import PRESETS, Group, Values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CHART = "charts/cluster-audit"
VALUES_PAGE = "docs/values.md"
RIGHTS_PAGE = "docs/rights.md"
_WIDTH = 96
_FULLNAME = '{{ include "cluster-audit.fullname" . }}'
"""The name of the Lease: the template that includes the file fills it in."""
Json = dict[str, Any]


def files() -> dict[str, str]:
    """Every generated file of the chart, and the pages about it."""
    return {
        f"crds/{PLURAL}.yaml": _yaml(crd()),
        f"{CHART}/crds/{PLURAL}.yaml": _yaml(crd()),
        f"{CHART}/files/rights.yaml": _yaml(role(rights())),
        f"{CHART}/files/election.yaml": _yaml(role(election(_FULLNAME))),
        f"{CHART}/files/reviews.yaml": _yaml(role(REVIEWS)),
        f"{CHART}/files/presets.yaml": _yaml(list(PRESETS)),
        f"{CHART}/values.yaml": "\n".join([_HEAD, *_values(Values(), 0)]).rstrip() + "\n",
        f"{CHART}/values.schema.json": json.dumps(schema(), indent=2) + "\n",
        VALUES_PAGE: "\n".join(_values_page()) + "\n",
        RIGHTS_PAGE: "\n".join(_rights_page()) + "\n",
    }


def _yaml(value: object) -> str:
    return yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False, width=100)


# values.yaml

_HEAD = "# Values of the chart, as docs/values.md lists them; values.schema.json checks them.\n"


def _values(group: Group, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for name, field in type(group).model_fields.items():
        value = getattr(group, name)
        said = textwrap.wrap(field.description or "", _WIDTH - len(indent))
        yield from (f"{indent}# {line}" for line in said)
        if isinstance(value, Group):
            yield f"{indent}{field.alias}:"
            yield from _values(value, depth + 1)
        else:
            yield from _pair(field.alias or name, value, indent)
        if depth == 0:
            yield ""


def _pair(key: str, value: object, indent: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        yield f"{indent}{key}:"
        for name, one in value.items():
            yield from _pair(name, one, f"{indent}  ")
    else:
        yield f"{indent}{key}: {_scalar(value)}"


def _scalar(value: object) -> str:
    """Plain words without quotes, all else as JSON, which is YAML."""
    plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w-]+", value)
    return str(value) if plain else json.dumps(value)


# values.schema.json


def schema() -> Json:
    """The schema that helm checks values by, with the report's spec as the CRD has it."""
    made: Json = _untitled(Values.model_json_schema(by_alias=True))
    made["$defs"]["Report"]["properties"]["spec"] = _strict(structural(Spec))
    made["properties"] |= {
        "global": {"description": "Values of a parent chart; not used.", "type": "object"},
        "enabled": {"description": "A parent chart's condition; not used.", "type": "boolean"},
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _untitled(value: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Without titles and defaults: values.yaml has those."""
    if isinstance(value, list):
        return [_untitled(one) for one in value]
    if not isinstance(value, dict):
        return value
    dropped = {"title", "default"} if value.keys() & {"type", "$ref"} else set()
    return {key: _untitled(one) for key, one in value.items() if key not in dropped}


def _strict(value: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """A structural schema as helm takes it: unknown fields are refused, not pruned."""
    if not isinstance(value, dict):
        return value
    made = {key: _strict(one) for key, one in value.items() if not key.startswith("x-")}
    return made | ({"additionalProperties": False} if "properties" in made else {})


# Pages


def _values_page() -> Iterator[str]:
    yield "# Values of the chart\n"
    yield (
        "A value that does not exist, or is of the wrong type or out of bounds, is refused by helm "
        "in a sentence\nthat names it. [Install](install.md) shows which to begin with.\n"
    )
    yield "| value | default | meaning |\n|---|---|---|"
    yield from _rows(Values(), "")
    yield "\n## Resources by nodes\n"
    yield "`nodes` chooses the first row that is enough; `resources` stands over it, key by key.\n"
    yield "| nodes, up to | CPU requested | memory requested | memory limit |\n|---|---|---|---|"
    for one in PRESETS:
        asked, limits = one["resources"]["requests"], one["resources"]["limits"]
        yield f"| {one['nodes']:,} | {asked['cpu']} | {asked['memory']} | {limits['memory']} |"
    yield (
        "\nMeasured peaks: 110 MiB at 100 nodes and 1,500 pods, 133 MiB at 1,000 nodes and 10,000 "
        "pods; the last row\nholds the budget of 512 MiB at 150,000 pods. CPU has no limit: an "
        "audit that is throttled only comes later."
    )


def _rows(group: Group, prefix: str) -> Iterator[str]:
    for name, field in type(group).model_fields.items():
        value = getattr(group, name)
        path = f"{prefix}{field.alias}"
        if isinstance(value, Group):
            yield from _rows(value, f"{path}.")
        else:
            yield f"| `{path}` | `{json.dumps(value)}` | {field.description} |"


def _rights_page() -> Iterator[str]:
    yield "# Rights of the operator\n"
    yield (
        "The chart's ClusterRole grants these and nothing else: no wildcard, no Secret, nothing "
        "that is audited is\never written. A test holds that what is granted is what is used.\n"
    )
    yield from _table(rights())
    yield "\n## With more than one replica\n"
    yield "`leaderElection` and `replicas` add a Role in the operator's namespace.\n"
    yield from _table(election("the release's full name"))
    yield "\n## Where the metrics ask for a token\n"
    yield "`metrics.authentication` adds a ClusterRole of its own.\n"
    yield from _table(REVIEWS)


def _table(every: Iterable[Right]) -> Iterator[str]:
    yield "| API group | resource | verbs | for |\n|---|---|---|---|"
    for one in every:
        named = f" (only {', '.join(f'`{name}`' for name in one.names)})" if one.names else ""
        resources = ", ".join(f"`{name}`" for name in one.resources)
        yield f"| {one.group or 'core'} | {resources}{named} | {', '.join(one.verbs)} | {one.why} |"
