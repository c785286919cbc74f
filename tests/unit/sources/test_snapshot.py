"""What a snapshot holds, and what it never holds: people attach these files to tickets."""

import gzip
import io
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusteraudit.model.kinds import KINDS
from clusteraudit.model.rows import PodRow
from clusteraudit.sources.gather import Gathering, of_manifests
from clusteraudit.sources.intake import Header
from clusteraudit.sources.parse import objects
from clusteraudit.sources.snapshot import Documents, Snapshot, header_line
from support import hostile

CANARY = "do-not-copy-me"
HEADER = Header(snapshot_version=1, taken_at="2026-01-01T00:00:00Z", listed=list(KINDS))
NOTES = {"a": CANARY}
CONTAINER = {
    "name": "main",
    "image": CANARY,
    "command": [CANARY],
    "args": [CANARY],
    "env": [{"name": "PASSWORD", "value": CANARY}],
    "livenessProbe": {"exec": {"command": [CANARY]}},
}
SPEC = {
    "containers": [CONTAINER],
    "initContainers": [CONTAINER],
    "volumes": [
        {
            "name": "v",
            "ephemeral": {"volumeClaimTemplate": {"metadata": {"annotations": {"a": CANARY}}}},
        }
    ],
}
STATUS = {
    "containerStatuses": [
        {
            "name": "main",
            "image": CANARY,
            "imageID": CANARY,
            "state": {"waiting": {"reason": "ErrImagePull", "message": f"401 denied {CANARY}"}},
            "lastState": {"terminated": {"reason": "Error", "message": CANARY}},
        }
    ],
}
META = {
    "name": "x",
    "namespace": "n",
    "annotations": {"secret": CANARY},
    "managedFields": [{"manager": CANARY}],
}


def written(*manifests: object) -> list[bytes]:
    documents = Documents()
    documents.header = HEADER
    for manifest in manifests:
        documents.add("", json.dumps(manifest).encode())
    return list(documents.lines())


def test_no_value_of_a_workload_is_copied() -> None:
    found = written(
        {"apiVersion": "v1", "kind": "Pod", "metadata": META, "spec": SPEC, "status": STATUS},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": META,
            "spec": {"template": {"metadata": {"annotations": NOTES}, "spec": SPEC}},
        },
        {"apiVersion": "v1", "kind": "Secret", "metadata": META, "data": {"a": CANARY}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": META, "data": {"a": CANARY}},
    )
    text = b"\n".join(found).decode()

    assert CANARY not in text
    assert "Deployment" in text
    assert "ConfigMap" not in text


def test_a_snapshot_that_was_cut_off_is_partial() -> None:
    pods = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{i}"}} for i in range(3)]
    lines = written(*pods)

    whole, cut = (read(part) for part in (lines, lines[:-1]))

    assert whole.evidence()["Pod"].state == "complete"
    assert cut.evidence()["Pod"].state == "partial"


def read(text: list[bytes]) -> Gathering:
    gathering = Gathering()
    for payload in objects("s.jsonl", io.BytesIO(b"\n".join(text))):
        gathering.add("s.jsonl", payload)
    return gathering


def test_what_is_read_back_is_what_was_written() -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "p",
            "labels": {"a": "b"},
            "annotations": {"kubernetes.io/config.mirror": "1"},
        },
        "spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": 0.5}}}]},
        "status": {
            "containerStatuses": [
                {
                    "name": "c",
                    "image": "example.com:5000/team/app",
                    "state": {"waiting": {"reason": "ErrImagePull", "message": "403 Forbidden"}},
                }
            ]
        },
    }
    first = of_manifests([pod])[0]
    again = read(written(pod))

    (row,) = (one.row for one in again.rows())
    assert [one.row for one in first] == [row]
    assert isinstance(row, PodRow)
    assert [(one.pull, one.registry) for one in row.troubles] == [("denied", "example.com:5000")]
    assert msgspec.json.decode(written(pod)[0])["objects"] == 1


@pytest.mark.parametrize("compressed", [False, True])
def test_a_snapshot_that_is_written_as_it_comes_is_the_same(compressed: bool) -> None:
    pods = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{i}"}} for i in range(3)]
    out = io.BytesIO()
    with Snapshot(compressed=compressed) as taken:
        taken.header = HEADER
        taken.add("", json.dumps(pods[1]).encode())
        taken.begin("Pod")  # the list expired: it begins anew
        for one in pods:
            taken.add("", json.dumps(one).encode())
        taken.write(out)

    text = gzip.decompress(out.getvalue()) if compressed else out.getvalue()
    assert text == b"".join(line + b"\n" for line in written(*pods))


@given(st.text(min_size=1) | st.sampled_from(hostile.ORDERS))
@settings(max_examples=60, deadline=None)
def test_no_line_acts_on_a_terminal_and_each_says_what_it_said(text: str) -> None:
    """As standard output, and as a file that somebody prints."""
    meta = {"name": "x", "namespace": "n", "labels": {text: text}}
    _, line = written({"apiVersion": "v1", "kind": "Pod", "metadata": meta})
    header = header_line(Header(snapshot_version=1, taken_at=text, cluster=text), 0)

    assert line.decode().isprintable()
    assert header.decode().isprintable()
    assert json.loads(line)["metadata"]["labels"] == {text: text}
    assert json.loads(header)["cluster"] == text
