"""The kinds to follow, as informers take them."""

from functools import partial

from clusteraudit.model.kinds import KINDS, METADATA_ONLY, USAGE
from clusteraudit.sources.feed import Resource
from clusteraudit.sources.translate import DOCUMENTS, translate


def resource(kind: str) -> Resource:
    """How a kind is followed."""
    known = KINDS[kind]
    return Resource(
        kind=kind,
        api_version=known.api_version,
        plural=known.plural,
        namespaced=known.namespaced,
        document=DOCUMENTS[kind],
        translate=partial(translate, kind),
        metadata_only=kind in METADATA_ONLY,
    )


def path(api_version: str, plural: str) -> str:
    """Where objects of all namespaces are listed."""
    root = "/apis" if "/" in api_version else "/api"
    return f"{root}/{api_version}/{plural}"


WATCHED = tuple(resource(kind) for kind in KINDS if kind not in USAGE)
POLLED = tuple(resource(kind) for kind in USAGE)
