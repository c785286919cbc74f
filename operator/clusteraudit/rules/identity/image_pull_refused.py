"""An image cannot be pulled.

## What it looks at
Containers that wait with ErrImagePull, ImagePullBackOff or another reason of that kind, in pods
that have not been ready for longer than `forSeconds`; and what the kubelet's message says of the
cause. The message itself is neither kept nor shown.

## Why it matters
The container does not start. Where other nodes still have the image, its pods run there, and all
looks well until the next of them is moved.

## What to do
Refused: mend the identity that pulls, which is the pod's imagePullSecret or the node's own role.
Missing: mend the name or the tag. Limited: pull through a mirror, or as a user. Unreachable: look
at the node's way to the registry, its DNS, proxy and certificates.

## When it stays silent
For pods that end, and before that time. What a message means differs between runtimes and
registries; where none of the known words is in it, no cause is named. Many registries answer
*denied* for what does not exist, too.
"""

from collections.abc import Iterator

from pydantic import Field

from clusteraudit.model import build
from clusteraudit.model.moments import rfc3339
from clusteraudit.model.rows import PodRow, Trouble
from clusteraudit.rules.kit import (
    Answer,
    Cluster,
    Failure,
    Layer,
    Ref,
    Settings,
    Severity,
    broken,
    count,
    found,
    rule,
    some,
    sound,
)

_WHY = {
    "denied": "the registry denies it: the credentials are not valid there, or there is no such "
    "image",
    "missing": "there is no such image or tag",
    "limited": "the registry refuses more pulls for now",
    "unreachable": "the node gets no answer from it that it trusts",
    "invalid": "the image's name cannot be read",
    "never": "it is not on the node, and the pull policy Never forbids to fetch it",
    "other": "the status does not say why",
}
_MEND = {
    "denied": "Mend the identity that pulls from {registry}: {identity}",
    "missing": "Correct the image's name or tag, or push it to {registry}",
    "limited": "Pull through a mirror, or with credentials that {registry} grants more to",
    "unreachable": "Check from {node} that {registry} resolves, answers, and shows a certificate "
    "that the node trusts",
    "invalid": "Correct the image's name",
    "never": "Load the image onto {node}, or set another imagePullPolicy",
    "other": "Ask the kubelet",
}
_IDENTITIES = (
    (".amazonaws.com", "the role of the node needs to read that ECR repository"),
    (".pkg.dev", "the node's service account needs Artifact Registry Reader there"),
    ("gcr.io", "the node's service account needs to read that registry"),
    (".azurecr.io", "the kubelet's identity needs AcrPull there"),
)


class ImagePullRefusedSettings(Settings):
    for_seconds: int = Field(
        120, ge=0, le=86_400, description="How long a pod may try in vain, in seconds."
    )


_DENIED = (
    'Back-off pulling image "registry.example.com/team/app:1": ErrImagePull: failed to pull and '
    'unpack image "registry.example.com/team/app:1": failed to resolve reference '
    '"registry.example.com/team/app:1": unexpected status from HEAD request to '
    "https://registry.example.com/v2/team/app/manifests/1: 401 Unauthorized"
)


def _shop(seconds: int) -> tuple[build.Manifest, ...]:
    waits = build.unready(seconds, build.unpulled(_DENIED), phase="Pending")
    return (
        build.node("node-a"),
        build.deployment("web", replicas=2),
        *build.pods_of("web", 2, on="node-a", status=waits),
    )


@rule(
    code="IDN101",
    title="An image cannot be pulled",
    subject="Workload",
    layer=Layer.WORKLOAD,
    failure=Failure.IDENTITY,
    severity=Severity.HIGH,
    reads=("Pod",),
    uses=("ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job"),
    leads_to=("service-without-endpoints",),
    message="{subject}: {who} no image from {registry}: {why}{others}.",
    remedy="{mend}; `kubectl describe pod -n {namespace} {first}` shows what was answered.",
    since="0.1",
    settings=ImagePullRefusedSettings,
    examples=(
        broken(
            "the registry does not know the node",
            _shop(600),
            mend=[build.deployment("web", replicas=2), *build.pods_of("web", 2, on="node-a")],
        ),
        sound("it has tried for a minute", _shop(60)),
    ),
)
def image_pull_refused(
    workload: Ref, cluster: Cluster, settings: ImagePullRefusedSettings
) -> Iterator[Answer]:
    refused = [
        (pod, trouble)
        for pod in cluster.workload_pods(workload).with_troubles
        if pod.living and (trouble := _unpulled(pod)) and _waits(cluster, pod, settings.for_seconds)
    ]
    if not refused:
        return
    pod, trouble = refused[0]
    names = tuple(one.name for one, _ in refused)
    nodes = tuple(sorted({one.node for one, _ in refused if one.node}))
    running = sum(one.ready for one in cluster.pods_of(workload) if one.living)
    since = [one.unready_since for one, _ in refused if one.unready_since is not None]
    yield found(
        workload,
        pods=len(names),
        names=names[:5],
        nodes=nodes[:5],
        readyPods=running,
        container=trouble.container,
        registry=trouble.registry,
        cause=trouble.pull,
        since=rfc3339(min(since)) if since else "",
        words={
            "who": count(len(names), "pod gets", "pods get"),
            "registry": trouble.registry or "its registry",
            "why": _WHY[trouble.pull],
            "others": f"; {count(running, 'pod')} still ready" if running else "",
            "mend": _mend(trouble, nodes),
            "namespace": pod.namespace,
            "first": pod.name,
        },
    )


def _unpulled(pod: PodRow) -> Trouble | None:
    return next((one for one in pod.troubles if one.pull), None)


def _waits(cluster: Cluster, pod: PodRow, for_seconds: int) -> bool:
    return pod.unready_since is None or cluster.older(pod.unready_since, for_seconds)


def _mend(trouble: Trouble, nodes: tuple[str, ...]) -> str:
    known = (says for suffix, says in _IDENTITIES if trouble.registry.endswith(suffix))
    identity = next(known, "the imagePullSecret of the pod or of its ServiceAccount")
    return _MEND[trouble.pull].format(
        registry=trouble.registry, identity=identity, node=some(nodes) or "the node"
    )
