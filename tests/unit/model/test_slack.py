"""What goes leaves no room behind: dictionaries of which entries come and go stay small."""

import sys

from clusteraudit.audit.audit import Audit
from clusteraudit.model.rows import PodRow, PodTemplate
from clusteraudit.model.slack import tighten
from clusteraudit.model.store import COMPLETE, Change
from clusteraudit.rules.catalogue import catalogue

MANY = 4000


def replaced(held: dict[tuple[str, str], int]) -> None:
    """Each entry goes, and another one comes in its place."""
    for key in list(held):
        del held[key]
        held[key[0], f"{key[1]}'"] = 1


def test_the_room_of_what_went_is_given_back_in_place() -> None:
    held = {("shop", str(n)): 1 for n in range(MANY)}
    replaced(held)
    copy, size = dict(held), sys.getsizeof(held)
    tighten(held)
    assert sys.getsizeof(held) == sys.getsizeof(copy) < size
    assert list(held.items()) == list(copy.items()), "in their order"
    replaced(copy)
    for key in list(copy)[10:]:
        del copy[key]
    tighten(copy)
    assert sys.getsizeof(copy) < 2000, "however few are left"


def test_what_was_only_filled_is_let_be() -> None:
    for number in range(5, 40_000, 997):
        held = dict.fromkeys(((n, "web") for n in range(number)), 1)
        size = sys.getsizeof(held)
        tighten(held)
        assert sys.getsizeof(held) == size, number


def test_room_is_given_back_unless_it_is_just_enough() -> None:
    """Also where nearly all of it would be used: of 10,922 places 9,900 or 10,000 are."""
    for number in (MANY, 9_900, 10_000):
        held = {("shop", str(n)): 1 for n in range(number)}
        filled = sys.getsizeof(held)
        replaced(held)
        tighten(held)
        assert sys.getsizeof(held) == filled, number
    held = {("shop", str(n)): 1 for n in range(10_900)}
    replaced(held)
    doubled = sys.getsizeof(held)
    tighten(held)
    assert sys.getsizeof(held) == doubled, "one more pod in a hundred would take it again"


def test_pods_that_are_replaced_leave_no_room_in_the_model() -> None:
    audit, template = Audit(catalogue(), 0), PodTemplate()

    def round_of(life: int) -> list[Change]:
        def change(name: str, row: PodRow | None) -> Change:
            return Change("Pod", ("shop", name), row)

        names = [(f"web-{n}-{life}", f"web-{n}-{life - 1}") for n in range(MANY)]
        came = [change(new, PodRow("shop", new, template=template)) for new, _ in names]
        went = [change(old, None) for _, old in names if life]
        return [*came, *went]

    audit.step(round_of(0), evidence={"Pod": COMPLETE}, now=0)
    recorder, tables = audit.cluster.recorder, audit.store.tables
    held = (tables["Pod"], audit.store.workloads, recorder.openers, recorder.opened)
    assert all(len(one) >= MANY for one in held)
    for life in range(1, 4):
        audit.step(round_of(life), now=life)
    for one in held:
        assert sys.getsizeof(one) <= sys.getsizeof(dict(one)), "no more than a copy takes"
