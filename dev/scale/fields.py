"""managedFields, as the API server keeps them: which fields somebody owns."""

from __future__ import annotations

import json
from typing import Any

_KEYS = ("name", "type", "containerPort", "ip", "key", "mountPath")
"""By which of its fields an item of a list is known."""


def managed(manager: str, owned: dict[str, Any], now: str, subresource: str = "") -> dict[str, Any]:
    """The entry of a manager that owns all of these fields."""
    entry = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "v1",
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": _set(owned),
    }
    return entry | ({"subresource": subresource} if subresource else {})


def _set(value: object) -> dict[str, Any]:
    if isinstance(value, dict):
        return {f"f:{key}": _set(one) for key, one in value.items()}
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return dict(_item(one) for one in value)
    return {}


def _item(item: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    key = next((key for key in _KEYS if key in item), None)
    if key is None:
        return "v:" + json.dumps(item, separators=(",", ":")), {}
    return "k:" + json.dumps({key: item[key]}, separators=(",", ":")), {".": {}, **_set(item)}
