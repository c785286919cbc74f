"""The bundled snapshot: every rule's first broken example, in a namespace and pool of its own."""

from __future__ import annotations

from clusteraudit.model.build import NOW
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.moments import rfc3339
from clusteraudit.rules.catalogue import catalogue
from clusteraudit.sources.intake import Header
from clusteraudit.sources.snapshot import Documents
from demo.stage import pooled


def snapshot() -> str:
    """The text of the file."""
    documents = Documents()
    documents.header = Header(
        snapshot_version=1,
        taken_at=rfc3339(NOW),
        listed=list(KINDS),
        cluster="demo",
        version="v1.37.2",
    )
    for rule in catalogue():
        for manifest in pooled(rule):
            documents.add("", manifest)
    return b"".join(line + b"\n" for line in documents.lines()).decode()
