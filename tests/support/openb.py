"""The trace of a production GPU cluster by which the paper on fragmentation measures.

Source: hkust-adsl/kubernetes-scheduler-simulator `data/csv` (Apache-2.0); the definition is that of
its `pkg/utils/frag.go`. A device is 1,000 milli-GPU. Memory is left out there, and so it is here;
nodes have slots enough.
"""

import csv
import gzip
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from clusteraudit.model import build
from clusteraudit.model.build import Manifest

DATA = Path(os.environ.get("CLUSTER_AUDIT_DATA", Path(__file__).parents[3] / "shared/data"))
MILLI_GPU = "example.com/milli-gpu"
MODEL = "example.com/gpu-model"
_SLOTS = "1000"


def folder() -> Path:
    """Where the data is; the test is skipped where it is not."""
    for one in (DATA, *(parent / "shared/data" for parent in Path(__file__).parents)):
        if (one / "openb_node_list_all_node.csv").is_file():
            return one
    pytest.skip(f"the openb trace is not here: set CLUSTER_AUDIT_DATA to its folder (not {DATA})")


def machine(name: str, cpu_milli: str | int, gpus: int, model: str = "") -> Manifest:
    """A node of the trace."""
    has = {"cpu": f"{cpu_milli}m", "pods": _SLOTS, MILLI_GPU: str(1000 * gpus)}
    ready = {"type": "Ready", "status": "True"}
    return build.thing(
        "v1",
        "Node",
        name,
        metadata={"labels": {MODEL: model} if model else {}},
        status={"allocatable": has, "conditions": [ready]},
    )


def task(
    name: str, cpu_milli: str | int, milli_gpu: int, models: tuple[str, ...] = (), replicas: int = 1
) -> Manifest:
    """Pods of the trace that ask for the same, as a Deployment."""
    wants = {"cpu": f"{cpu_milli}m"} | ({MILLI_GPU: str(milli_gpu)} if milli_gpu else {})
    spec: dict[str, object] = {"containers": [{"name": "a", "resources": {"requests": wants}}]}
    if models:
        term = {"matchExpressions": [{"key": MODEL, "operator": "In", "values": list(models)}]}
        required = {"nodeSelectorTerms": [term]}
        node = {"requiredDuringSchedulingIgnoredDuringExecution": required}
        spec["affinity"] = {"nodeAffinity": node}
    template: Mapping[str, object] = {"metadata": {"labels": {"app": name}}, "spec": spec}
    whole = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return build.thing("apps/v1", "Deployment", name, "trace", spec=whole)


def nodes() -> Iterator[Manifest]:
    """Every node of the trace."""
    return (machine(*one) for one in machines())


def requests() -> Counter[tuple[int, int, tuple[str, ...]]]:
    """Pod requests of the default trace: millicores, milli-GPU and models, and how many there are.

    Of a pod that shares a device, and of one that takes whole ones, the sum over its devices: on
    an empty cluster that is all that the definition reads.
    """
    with gzip.open(folder() / "openb_pod_list_default.csv.gz", "rt", encoding="utf-8") as file:
        return Counter(
            (
                int(row["cpu_milli"]),
                int(row["num_gpu"]) * int(row["gpu_milli"] or 0),
                tuple(sorted(one for one in row["gpu_spec"].split("|") if one)),
            )
            for row in csv.DictReader(file)
        )


def tasks() -> Iterator[Manifest]:
    """The same as Deployments."""
    for at, ((cpu, milli_gpu, models), number) in enumerate(sorted(requests().items())):
        yield task(f"task-{at}", cpu, milli_gpu, models, number)


def machines() -> Iterator[tuple[str, int, int, str]]:
    """Nodes of the trace: name, millicores, GPUs and their model."""
    with (folder() / "openb_node_list_all_node.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield row["sn"], int(row["cpu_milli"]), int(row["gpu"]), row["model"]
