"""InterPodAffinity: near the pods that it needs, away from those that it or they cannot bear."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from clusteraudit.model.constraints import PodTerm
from clusteraudit.model.rows import Key, NamespaceRow, PodRow
from clusteraudit.model.selectors import Labels
from clusteraudit.simulate.columns import DOUBT, FITS, REFUSED, Columns, Levels, Mask
from clusteraudit.simulate.filters.kit import Answer, Check, Doubt, Refusal
from clusteraudit.simulate.snapshot import NodeInfo, Placed, Repelling, Snapshot

NAME = "InterPodAffinity"
Domain = tuple[str, str]
"""A topology key and a value of it."""


def inter_pod_affinity(snapshot: Snapshot, pod: PodRow) -> Check | None:
    """Required terms only, those of existing pods included (`interpodaffinity/filtering.go`)."""
    near, away = _Near.of(snapshot, pod), _away(snapshot, pod)
    missing = _missing(snapshot, pod)
    if not (near.terms or away or missing):
        return None
    keys = sorted({key for key, _ in away})

    def each(info: NodeInfo) -> Iterator[Answer]:
        lacks = near.lacking(info)
        met = [away[at] for at in _domains_of(keys, info) if at in away]
        doubted = missing and near.doubtful(info)
        if lacks and not doubted:
            yield lacks
        yield from dict.fromkeys(met)
        if missing and not met and (doubted or not lacks):
            yield Doubt(NAME, missing)

    def levels(columns: Columns) -> Levels:
        found = near.levels(columns, DOUBT if missing else REFUSED)
        if missing:
            found = np.minimum(found, DOUBT)
        for key in keys:
            codes = columns.codes(key)
            met = codes.spread(((key, value) in away for value in codes.values), absent=False)
            found = np.where(met, REFUSED, found).astype(np.int8)
        return found

    return Check(each, levels)


@dataclass(frozen=True, slots=True)
class _Near:
    """Terms of affinity, and the domains of pods that match all of them at once."""

    terms: tuple[PodTerm, ...]
    domains: frozenset[Domain]
    first: bool
    """No pod matches, and the pod itself would: it may begin anywhere."""

    @classmethod
    def of(cls, snapshot: Snapshot, pod: PodRow) -> "_Near":
        terms = pod.template.affinity
        if not terms:
            return cls((), frozenset(), first=False)
        spaces = [_spaces(snapshot, pod, term) for term in terms]
        domains = {
            domain
            for other, info in _selected(snapshot, terms[0], spaces[0])
            if all(map(_matches, terms, spaces, [other] * len(terms)))
            for domain in _domains(terms, info)
        }
        itself = all(map(_matches, terms, spaces, [pod] * len(terms)))
        return cls(terms, frozenset(domains), first=itself and not domains)

    def lacking(self, info: NodeInfo) -> Refusal | None:
        """Why a node is not near enough; all keys must be there even for the first pod."""
        for term in self.terms:
            if info.label(term.topology_key) is None:
                return Refusal(NAME, "MissingTopologyLabel", f"no label {term.topology_key}")
        if self.first or self.domains.issuperset(_domains(self.terms, info)):
            return None
        return Refusal(NAME, "PodAffinityMismatch", "no pod that it wants to be near is there")

    def doubtful(self, info: NodeInfo) -> bool:
        """Whether a pod that is not known could be near it."""
        return all(info.label(term.topology_key) is not None for term in self.terms)

    def levels(self, columns: Columns, otherwise: int) -> Levels:
        """The same of all nodes; what is not near is at this level, if it has all keys."""
        labelled = np.ones(len(columns.names), dtype=np.bool_)
        near: Mask = labelled.copy()
        for key in {term.topology_key for term in self.terms}:
            codes = columns.codes(key)
            labelled &= codes.codes >= 0
            held = (self.first or (key, value) in self.domains for value in codes.values)
            near &= codes.spread(held, absent=False)
        far = np.where(labelled, otherwise, REFUSED)
        return np.where(near, FITS, far).astype(np.int8)


def _away(snapshot: Snapshot, pod: PodRow) -> Mapping[Domain, Refusal]:
    """Domains where a pod is that it keeps away from, or that keeps it away; the first is named."""
    first: dict[Domain, tuple[int, Key]] = {}
    for order, terms, placed in _against(snapshot, pod):
        for other, info in placed:
            for domain in _domains(terms, info):
                known = first.get(domain)
                if known is None or (order, other.key) < known:
                    first[domain] = (order, other.key)
    return {domain: _refusal(order, key) for domain, (order, key) in first.items()}


def _against(
    snapshot: Snapshot, pod: PodRow
) -> Iterator[tuple[int, tuple[PodTerm, ...], Iterator[Placed]]]:
    """Its own terms first, as the scheduler asks them, then those of others."""
    for term in pod.template.anti_affinity:
        yield 0, (term,), _selected(snapshot, term, _spaces(snapshot, pod, term))
    for terms, placed in _repelling(snapshot, pod):
        yield 1, terms, placed


_REASONS = (
    ("PodAntiAffinity", "it keeps away from"),
    ("ExistingPodAntiAffinity", "it is kept away by"),
)


def _refusal(order: int, other: Key) -> Refusal:
    reason, words = _REASONS[order]
    return Refusal(NAME, reason, f"{words} pod {'/'.join(other)} there")


def _repelling(
    snapshot: Snapshot, pod: PodRow
) -> Iterator[tuple[tuple[PodTerm, ...], Iterator[Placed]]]:
    """Terms of existing pods that are against this one, and the pods that have them."""
    row = snapshot.cluster.find(NamespaceRow, "Namespace", "", pod.namespace)
    labels = row.labels if row else Labels()
    whom = (pod.namespace, pod.template.labels, labels)

    def against(one: Repelling) -> bool:
        namespace, terms = one
        return any(_repels(term, namespace, pod, labels) for term in terms)

    for (namespace, terms), placed in snapshot.repelling(whom, against):
        yield tuple(one for one in terms if _repels(one, namespace, pod, labels)), placed


def _repels(term: PodTerm, namespace: str, pod: PodRow, labels: Labels) -> bool:
    """Whether a term of a pod in `namespace` is about this pod, whose namespace has `labels`."""
    spaces, chosen = term.namespaces, term.namespace_selector
    own = not spaces and chosen is None and pod.namespace == namespace
    inside = own or pod.namespace in spaces or (chosen is not None and chosen.matches(labels))
    return inside and term.selector is not None and term.selector.matches(pod.template.labels)


def _spaces(snapshot: Snapshot, pod: PodRow, term: PodTerm) -> frozenset[str] | None:
    """The namespaces that a term of this pod means; None for all, whether they exist or not."""
    chosen = term.namespace_selector
    if chosen is None:
        return frozenset(term.namespaces or (pod.namespace,))
    if not chosen.requirements:
        return None
    rows = snapshot.cluster.all(NamespaceRow, "Namespace")
    return frozenset((*term.namespaces, *(r.name for r in rows if chosen.matches(r.labels))))


def _selected(snapshot: Snapshot, term: PodTerm, spaces: frozenset[str] | None) -> Iterator[Placed]:
    """Pods on nodes that a term of the pod means."""
    if term.selector is None:
        return iter(())
    inside = snapshot.namespaces() if spaces is None else sorted(spaces)
    return snapshot.matching(inside, term.selector)


def _matches(term: PodTerm, spaces: frozenset[str] | None, other: PodRow) -> bool:
    inside = spaces is None or other.namespace in spaces
    return inside and term.selector is not None and term.selector.matches(other.template.labels)


def _domains(terms: Iterable[PodTerm], info: NodeInfo) -> Iterator[Domain]:
    """The node's domains of these terms."""
    return _domains_of((term.topology_key for term in terms), info)


def _domains_of(keys: Iterable[str], info: NodeInfo) -> Iterator[Domain]:
    """The node's domains of these keys; one that it has no label of is none."""
    for key in keys:
        value = info.label(key)
        if value is not None:
            yield (key, value)


def _missing(snapshot: Snapshot, pod: PodRow) -> str:
    """The kind of which more would have to be known; of a pod without terms only what it meets."""
    own = (*pod.template.affinity, *pod.template.anti_affinity)
    if own:
        chosen = any(one.namespace_selector for one in own)
        kinds = ("Pod", "Node", "Namespace") if chosen else ("Pod", "Node")
        return next((kind for kind in kinds if not snapshot.known(kind)), "")
    if snapshot.known("Node", "Namespace"):
        return ""
    met = any(True for _ in _repelling(snapshot, pod))
    return "Node" if met and not snapshot.known("Node") else ""
