"""Writing statuses: by server-side apply, only when they say something new, never too often."""

import json
from collections.abc import Mapping

import msgspec

from clusteraudit.kube.errors import ApiError
from clusteraudit.kube.session import APPLY, Session, decoded
from clusteraudit.report.resource import GROUP, KIND, PLURAL, VERSION

MANAGER = "cluster-audit"
ROOT = f"/apis/{GROUP}/{VERSION}/{PLURAL}"
_CRD = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{PLURAL}.{GROUP}"


class _Meta(msgspec.Struct, rename="camel"):
    name: str = ""
    uid: str = ""
    resource_version: str = ""


class Written(msgspec.Struct):
    """The reply to a write."""

    metadata: _Meta


class _Reports(msgspec.Struct):
    items: list[Written] | None = None


class _Schema(msgspec.Struct, frozen=True, rename={"schema_": "openAPIV3Schema"}):
    schema_: dict[str, object] = {}


class _Version(msgspec.Struct, frozen=True):
    name: str
    schema: _Schema = _Schema()


class _CrdSpec(msgspec.Struct):
    versions: list[_Version] = []


class _Crd(msgspec.Struct):
    spec: _CrdSpec


class OutdatedSchemaError(Exception):
    """The installed CRD does not know all fields of the status."""


async def apply_status(
    session: Session, name: str, version: str, status: Mapping[str, object]
) -> str:
    """Write a status and return the new resourceVersion.

    `version` is the one that the report had when it was last seen: if somebody else wrote since,
    nothing is written. Raises ConflictError, NotFoundError, OutdatedSchemaError, ApiError.
    """
    body = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"name": name, "resourceVersion": version},
        "status": status,
    }
    try:
        reply = await session.send(
            "PATCH",
            f"{ROOT}/{name}/status",
            params={"fieldManager": MANAGER, "force": "true"},
            body=json.dumps(body, ensure_ascii=False).encode(),
            content=APPLY,
        )
    except ApiError as error:
        if "field not declared in schema" in str(error):
            raise OutdatedSchemaError(str(error)) from None
        raise
    return decoded(reply, Written, f"PATCH {ROOT}/{name}/status").metadata.resource_version


async def reports(session: Session) -> dict[str, str]:
    """Uids and names of the reports that there are; raises NotFoundError without the CRD."""
    found = (await session.get(ROOT, _Reports)).items or ()
    return {one.metadata.uid: one.metadata.name for one in found}


async def pruned(session: Session, status: Mapping[str, object]) -> dict[str, object]:
    """The part of a status that the installed CRD knows."""
    crd = await session.get(_CRD, _Crd)
    for version in crd.spec.versions:
        if version.name == VERSION:
            properties = version.schema.schema_.get("properties")
            schema = properties.get("status") if isinstance(properties, dict) else None
            known = _prune(dict(status), schema)
            return known if isinstance(known, dict) else {}
    return {}


def _prune(value: object, schema: object) -> object:
    if not isinstance(schema, dict) or schema.get("x-kubernetes-preserve-unknown-fields"):
        return value
    properties, items = schema.get("properties"), schema.get("items")
    if isinstance(value, dict) and isinstance(properties, dict):
        return {k: _prune(one, properties[k]) for k, one in value.items() if k in properties}
    if isinstance(value, list):
        return [_prune(one, items) for one in value]
    return value
