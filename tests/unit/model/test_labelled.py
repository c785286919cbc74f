"""Label sets by a selector: what an index gives is what asking each of them gives."""

import random

import pytest

from clusteraudit.model.cluster import Cluster
from clusteraudit.model.rows import PodRow, PodTemplate
from clusteraudit.model.selectors import Labels, LabelSelector, requirement
from clusteraudit.model.store import Change, Store

SELECTORS = [
    LabelSelector(),
    LabelSelector((requirement("app", "In", ("a",)),)),
    LabelSelector((requirement("app", "In", ("a", "b", "a")),)),
    LabelSelector((requirement("tier", "Exists"), requirement("app", "In", ("c",)))),
    LabelSelector((requirement("tier", "NotIn", ("x",)),)),
    LabelSelector((requirement("app", "In", ("a",)), requirement("tier", "In", ("x", "y")))),
]


def pod(chance: random.Random) -> PodRow:
    pairs = {"app": chance.choice("abc"), "tier": chance.choice("xyz")}
    kept = tuple((key, value) for key, value in pairs.items() if chance.random() < 0.8)
    namespace, name = chance.choice(("one", "two")), f"pod-{chance.randrange(6)}"
    return PodRow(namespace, name, template=PodTemplate(labels=Labels(kept)))


def asked_of_each(store: Store, namespace: str, selector: LabelSelector) -> set[Labels]:
    pods = (row for row in store.tables["Pod"].values() if isinstance(row, PodRow))
    labels = {one.template.labels for one in pods if one.namespace == namespace}
    return {one for one in labels if selector.matches(one)}


@pytest.mark.parametrize("seed", range(5))
def test_an_index_gives_what_asking_each_gives(seed: int) -> None:
    chance, store = random.Random(seed), Store()
    cluster = Cluster(store, 0)
    for _ in range(200):
        row = pod(chance)
        store.apply([Change("Pod", row.key, row if chance.random() < 0.6 else None)])
        selector = chance.choice(SELECTORS)
        found = cluster.labels("pods_by_labels", row.namespace, selector)
        assert len(found) == len(set(found))
        assert set(found) == asked_of_each(store, row.namespace, selector)


def test_only_labels_of_the_named_value_ask_again() -> None:
    store = Store()
    cluster = Cluster(store, 0)
    cluster.recorder.begin("reader")
    cluster.labels("pods_by_labels", "one", SELECTORS[1])
    cluster.recorder.end()

    def asked(**labels: str) -> bool:
        template = PodTemplate(labels=Labels(tuple(sorted(labels.items()))))
        row = PodRow("one", "-".join(labels.values()), template=template)
        touched = store.apply([Change("Pod", row.key, row)], cluster.recorder.openers)
        return bool(cluster.recorder.dirty(touched.cells))

    assert not asked(app="b")
    assert not asked(tier="a")
    assert asked(app="a", tier="x")
