"""Decoding of documents, the same for informers, lists and files: null counts as absent.

The API server writes null for a list that is empty and has no `omitempty` (the drivers of a
CSINode, the endpoints of an EndpointSlice), and reads null as absent wherever it stands.
"""

from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Decoding(Generic[T]):
    """Reads values of one shape, of JSON text or of what YAML has constructed."""

    def __init__(self, shape: type[T]) -> None:
        self._shape = shape
        self._decoder = msgspec.json.Decoder(shape)

    def __call__(self, payload: bytes | msgspec.Raw | dict[str, object]) -> T:
        """The value; raises what UNREADABLE names."""
        if isinstance(payload, dict):
            return self.convert(payload)
        try:
            return self._decoder.decode(payload)
        except msgspec.ValidationError:
            return self.convert(msgspec.json.decode(payload))

    def convert(self, value: object) -> T:
        """The same of a value that was read already."""
        return msgspec.convert(dense(value), self._shape)


def dense(value: object) -> object:
    """Without what is null."""
    if isinstance(value, dict):
        return {key: dense(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [dense(one) for one in value if one is not None]
    return value
