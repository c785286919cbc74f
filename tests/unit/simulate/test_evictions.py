"""The order of eviction against a slow reference that compares pod by pod, as the kubelet does."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusteraudit.model.rows import PodRow, PodTemplate
from clusteraudit.simulate.evictions import Group, Signal, order

Used = tuple[PodRow, int | None]
CRITICAL = 2_000_000_000
GI = 1 << 30
SMALL = st.integers(0, 3)
MEASURED = (Signal.MEMORY, Signal.NODEFS, Signal.IMAGEFS, Signal.INODES, Signal.PID)


def pod(
    name: str,
    *,
    priority: int = 0,
    memory: int = 0,
    disk: int = 0,
    phase: str = "Running",
    **more: Any,
) -> PodRow:
    template = PodTemplate(priority=priority, memory_request=memory, ephemeral_request=disk, **more)
    return PodRow("shop", name, template=template, phase=phase, node="a")


@st.composite
def pods(draw: st.DrawFn, *, known: bool) -> list[Used]:
    """Few values, so that ties and turns are frequent."""
    usage: st.SearchStrategy[int | None] = SMALL if known else st.none() | SMALL
    found: list[Used] = []
    for number in range(draw(st.integers(0, 7))):
        made = pod(
            f"p{number}",
            priority=draw(st.sampled_from([-1, 0, 0, 5, CRITICAL])),
            memory=draw(SMALL),
            disk=draw(SMALL),
            phase=draw(st.sampled_from(["Running", "Running", "Pending"])),
            memory_capped=draw(st.booleans()),
            static=draw(st.integers(0, 9)) == 0,
            qos=draw(st.sampled_from(["BestEffort", "Burstable", "Guaranteed"])),
        )
        found.append((made, draw(usage)))
    return found


# The reference: comparators in a chain, each -1, 0 or 1, negative for who goes first

Compare = Callable[[Used, Used], int]


def sign(number: int) -> int:
    return (number > 0) - (number < 0)


def never(one: Used) -> bool:
    return one[0].template.static or one[0].template.priority >= CRITICAL


def asked(signal: Signal, one: Used) -> int:
    """What its usage must exceed."""
    template = one[0].template
    if signal is Signal.MEMORY:
        return template.memory_request
    return 0 if signal is Signal.INODES else template.ephemeral_request


def by_excess_at_all(signal: Signal) -> Compare:
    def over(one: Used) -> bool:
        assert one[1] is not None
        return one[1] > asked(signal, one)

    return lambda a, b: int(over(b)) - int(over(a))


def by_priority(a: Used, b: Used) -> int:
    return sign(a[0].template.priority - b[0].template.priority)


def by_amount(signal: Signal) -> Compare:
    def left(one: Used) -> int:
        assert one[1] is not None
        template = one[0].template
        if signal is Signal.PID:
            return one[1]
        held = template.memory_request if signal is Signal.MEMORY else template.ephemeral_request
        return one[1] - held

    return lambda a, b: sign(left(b) - left(a))


def by_class(signal: Signal) -> Compare:
    """Static classes: surely over the request, perhaps, surely not."""

    def of(one: Used) -> int:
        template, usage = one[0].template, one[1]
        if usage is not None:
            return 0 if usage > asked(signal, one) else 2
        if signal is Signal.MEMORY and template.memory_capped:
            return 2
        return 0 if asked(signal, one) == 0 and one[0].phase == "Running" else 1

    return lambda a, b: sign(of(a) - of(b))


def chain(signal: Signal, used: list[Used]) -> list[Compare]:
    known = all(usage is not None for one, usage in used if not never((one, usage)))
    if signal is Signal.PID:
        return [by_priority, by_amount(signal)] if known else [by_priority]
    if known:
        return [by_excess_at_all(signal), by_priority, by_amount(signal)]
    return [by_class(signal), by_priority]


def reference(signal: Signal, used: list[Used]) -> dict[str, int | None]:
    """The rank of each: one more than how many go before it."""
    rankable = [one for one in used if not never(one)]
    comparators = chain(signal, used)

    def before(a: Used, b: Used) -> bool:
        results = (compare(a, b) for compare in comparators)
        return next((one for one in results if one), 0) < 0

    ranks: dict[str, int | None] = {one[0].name: None for one in used}
    for one in rankable:
        ranks[one[0].name] = 1 + sum(before(other, one) for other in rankable)
    return ranks


def ranks_of(signal: Signal, used: list[Used]) -> dict[str, int | None]:
    return {one.pod.name: one.rank for one in order(signal, used)}


@pytest.mark.parametrize("signal", MEASURED)
@settings(deadline=None)
@given(used=pods(known=True))
def test_with_usage_it_is_the_order_of_the_comparators(signal: Signal, used: list[Used]) -> None:
    assert ranks_of(signal, used) == reference(signal, used)


@pytest.mark.parametrize("signal", MEASURED)
@settings(deadline=None)
@given(used=pods(known=False))
def test_without_usage_it_is_the_order_of_the_classes(signal: Signal, used: list[Used]) -> None:
    assert ranks_of(signal, used) == reference(signal, used)


# Properties


@settings(deadline=None)
@given(used=pods(known=False), data=st.data(), signal=st.sampled_from(list(Signal)))
def test_the_order_of_input_changes_nothing(
    used: list[Used], data: st.DataObject, signal: Signal
) -> None:
    assert order(signal, data.draw(st.permutations(used))) == order(signal, used)


@settings(deadline=None)
@given(used=pods(known=False), signal=st.sampled_from(list(Signal)))
def test_ranks_count_who_goes_before_and_critical_ones_come_last(
    used: list[Used], signal: Signal
) -> None:
    found = order(signal, used)
    ranks = [one.rank for one in found if one.rank is not None]
    assert ranks == sorted(ranks)
    assert all(rank == 1 + sum(other < rank for other in ranks) for rank in ranks)
    assert [one.rank for one in found][len(ranks) :] == [None] * (len(found) - len(ranks))
    assert {one.group is Group.CRITICAL for one in found[len(ranks) :]} <= {True}


@settings(deadline=None)
@given(used=pods(known=True), signal=st.sampled_from(list(Signal)))
def test_it_is_a_total_preorder_that_sorts_by_each_key_in_its_turn(
    used: list[Used], signal: Signal
) -> None:
    """What python's own sort makes of the comparators has the same ties in the same places."""
    comparators = chain(signal, used)

    def compare(a: Used, b: Used) -> int:
        return next((one for one in (c(a, b) for c in comparators) if one), 0)

    rankable = sorted((u for u in used if not never(u)), key=functools.cmp_to_key(compare))
    ranks = ranks_of(signal, used)
    for first, second in itertools.pairwise(rankable):
        tie = compare(first, second) == 0
        one, other = ranks[first[0].name], ranks[second[0].name]
        assert one is not None
        assert other is not None
        assert (one == other) if tie else (one < other)


@settings(deadline=None)
@given(used=pods(known=False), signal=st.sampled_from(list(Signal)), number=SMALL)
def test_qos_plays_no_part(used: list[Used], signal: Signal, number: int) -> None:
    classes = ("BestEffort", "Burstable", "Guaranteed", "")
    changed = [
        (
            msgspec.structs.replace(
                one, template=msgspec.structs.replace(one.template, qos=classes[number])
            ),
            usage,
        )
        for one, usage in used
    ]
    assert ranks_of(signal, changed) == ranks_of(signal, used)


@settings(deadline=None)
@given(used=pods(known=True), more=st.integers(1, 3), data=st.data())
def test_a_larger_request_never_brings_a_pod_forward(
    used: list[Used], more: int, data: st.DataObject
) -> None:
    rankable = [one for one in used if not never(one)]
    if not rankable:
        return
    one, usage = data.draw(st.sampled_from(rankable))
    larger = msgspec.structs.replace(
        one,
        template=msgspec.structs.replace(
            one.template, memory_request=one.template.memory_request + more
        ),
    )
    after = [(larger, usage) if other[0] is one else other for other in used]
    before, then = ranks_of(Signal.MEMORY, used)[one.name], ranks_of(Signal.MEMORY, after)[one.name]
    assert before is not None
    assert then is not None
    assert then >= before


# What the documentation of node-pressure eviction says, and what people think that it says


def first(signal: Signal, *used: Used) -> str:
    return order(signal, used)[0].pod.name


def test_usage_over_request_goes_before_usage_under_it_whatever_the_priority() -> None:
    high = pod("high", priority=1000, memory=1)
    low = pod("low", priority=-10, memory=9)
    assert first(Signal.MEMORY, (high, 2), (low, 8)) == "high"


def test_then_lower_priority_goes_first_however_much_the_other_uses() -> None:
    assert first(Signal.MEMORY, (pod("low"), 1), (pod("high", priority=1), 900)) == "low"


def test_then_the_larger_excess_goes_first() -> None:
    assert first(Signal.MEMORY, (pod("a", memory=90), 100), (pod("b", memory=10), 21)) == "b"


def test_a_pod_under_its_request_is_no_safer_for_being_guaranteed() -> None:
    guaranteed = pod("guaranteed", priority=-1, memory=10, qos="Guaranteed", memory_capped=True)
    burstable = pod("burstable", memory=10, qos="Burstable")
    assert first(Signal.MEMORY, (guaranteed, 5), (burstable, 5)) == "guaranteed"


@pytest.mark.parametrize("signal", [Signal.INODES, Signal.PID])
def test_inodes_and_processes_have_no_requests_so_priority_decides(signal: Signal) -> None:
    found = order(signal, [(pod("a", priority=5), None), (pod("b"), None), (pod("c"), None)])
    assert [(one.pod.name, one.rank) for one in found] == [("b", 1), ("c", 1), ("a", 3)]


def test_a_request_of_ephemeral_storage_is_taken_off_a_count_of_inodes() -> None:
    """A quirk of the kubelet: the third key subtracts bytes from a number of inodes."""
    assert first(Signal.INODES, (pod("a", disk=1 << 30), 900_000), (pod("b"), 3)) == "b"


def test_equal_usage_is_a_tie() -> None:
    found = order(Signal.MEMORY, [(pod("b"), 5), (pod("a"), 5), (pod("c"), 1)])
    assert [(one.pod.name, one.rank) for one in found] == [("a", 1), ("b", 1), ("c", 3)]


def test_one_pod_without_usage_leaves_no_total_order() -> None:
    found = order(
        Signal.MEMORY, [(pod("a", memory=1), 5), (pod("b", memory=1), 9), (pod("c"), None)]
    )
    assert {one.rank for one in found} == {1}
    assert [one.group for one in found] == [Group.EXCEEDS, Group.EXCEEDS, Group.CERTAIN]


@pytest.mark.parametrize(
    ("signal", "used", "reason"),
    [
        (
            Signal.MEMORY,
            (pod("a", memory=1 << 30), 3 << 30),
            "uses 3Gi, 2Gi over its request of 1Gi",
        ),
        (
            Signal.MEMORY,
            (pod("a", memory=1 << 30), 1 << 20),
            "uses 1Mi of the 1Gi that it requests",
        ),
        (Signal.MEMORY, (pod("a"), 1 << 20), "uses 1Mi, requests none"),
        (Signal.MEMORY, (pod("a"), None), "requests no memory: any use is over that"),
        (
            Signal.MEMORY,
            (pod("a", memory=1 << 20, memory_capped=True), None),
            "its limits keep it within its request of 1Mi",
        ),
        (
            Signal.NODEFS,
            (pod("a", disk=1 << 20), None),
            "may use more ephemeral storage than its request of 1Mi",
        ),
        (
            Signal.MEMORY,
            (pod("a", phase="Pending"), None),
            "does not run yet: without statistics it would go first",
        ),
        (Signal.PID, (pod("a"), None), "only priority and the number of processes count"),
        (Signal.INODES, (pod("a"), 12), "uses 12, requests none"),
        (Signal.MEMORY, (pod("a", static=True), 1), "is static"),
        (Signal.PID, (pod("a", priority=CRITICAL), 1), "priority 2000000000 is critical"),
    ],
)
def test_every_pod_has_its_reason(signal: Signal, used: Used, reason: str) -> None:
    assert order(signal, [used])[0].reason == reason


def test_a_pod_that_is_terminating_is_ranked_and_says_so() -> None:
    leaving = msgspec.structs.replace(pod("a"), terminating=True)
    found = order(Signal.MEMORY, [(leaving, 1)])
    assert found[0].rank == 1
    assert found[0].reason.endswith("; is terminating already")
