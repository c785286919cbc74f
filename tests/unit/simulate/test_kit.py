"""What filters share: shapes of templates."""

from clusteraudit.model.rows import PodTemplate
from clusteraudit.model.selectors import Labels
from clusteraudit.simulate.filters.kit import shape_of


def revision(number: str, cpu: int = 500) -> PodTemplate:
    return PodTemplate(
        requests=(("cpu", cpu), ("memory", 2**30)),
        labels=Labels((("pod-template-hash", number),)),
    )


def test_the_shape_of_a_new_revision_that_asks_for_the_same_is_the_last_ones() -> None:
    before, after, larger = revision("1"), revision("2"), revision("3", cpu=501)
    shape = shape_of(before)
    assert shape_of(after) is shape
    assert shape_of(larger) != shape
    del before
    assert shape_of(after) is shape
