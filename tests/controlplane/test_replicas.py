"""Three replicas, of which one publishes: killed, frozen, cut off, stopped, none writes twice.

CLUSTER_AUDIT_TEST_TAKEOVERS says how many faults (3: each kind once), CLUSTER_AUDIT_TEST_SEED makes
it another run. Times are from the fault to the first status of another replica.
"""

import itertools
import os
import random
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from clusteraudit.kube import lease
from clusteraudit.kube.lease import DURATION
from clusteraudit.report.resource import GROUP, KIND, PLURAL, VERSION
from clusteraudit.report.rights import granted
from clusteraudit.rules.kit import Rule
from controlplane import ControlPlane
from demo import stage
from demo.apply import apply
from demo.operator import USER, install, report, status_of
from support.history import History, agree
from support.replicas import (
    CREDENTIAL,
    LEASE,
    Replica,
    Replicas,
    audit_policy,
    check_writes,
    published_after,
    refused_as_stale,
    writes,
)
from support.staged import AGAIN, RULES, SPEC, about

TAKEOVERS = int(os.environ.get("CLUSTER_AUDIT_TEST_TAKEOVERS", "3"))
SEED = int(os.environ.get("CLUSTER_AUDIT_TEST_SEED", "1"))
LONGEST = 20.0
PATIENCE = 60
REPORT = (f"{GROUP}/{VERSION}", KIND, "cluster")
MOVING = [one for one in RULES if one.name in AGAIN]


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """One of its own: every write in it is accounted for."""
    with ControlPlane(audit_policy=audit_policy()) as started:
        yield started


@pytest.fixture(scope="module")
def replicas(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    folder = tmp_path_factory.mktemp("replicas")
    plane.install_metrics()
    install(plane, replicas=3)
    plane.apply([report(**SPEC), report("view", publishInterval=1)])
    for rule in MOVING:
        apply(plane, stage.broken(rule))
    with Replicas(plane, folder) as started:
        started.wait_for_leader()
        yield started
    for one in started.every:
        text = one.operator.log.read_text()
        assert "Traceback" not in text, text


@pytest.fixture(scope="module")
def history(plane: ControlPlane, replicas: Replicas) -> Iterator[History]:
    with History(plane) as recorded:
        plane.wait(lambda: recorded.told, PATIENCE, "a first report")
        yield recorded


def settled(plane: ControlPlane, leader: Replica, history: History) -> None:
    plane.wait(lambda: agree(plane, leader.operator, history), PATIENCE, "agreement")


def since(plane: ControlPlane) -> dict[str, str]:
    return {one["fingerprint"]: one["since"] for one in status_of(plane)["findings"]}


def test_others_are_ready_and_publish_nothing(
    plane: ControlPlane, replicas: Replicas, history: History
) -> None:
    leader = replicas.leader()
    settled(plane, leader, history)
    spec = plane.api.get(*LEASE)["spec"]
    assert spec["holderIdentity"] == leader.identity
    others = [one for one in replicas.every if one is not leader]
    for one in others:
        check_standby(plane, one)
    wrote = {one["user"]["extra"][CREDENTIAL][0] for one in plane.audit_events(USER, {"patch"})}
    assert wrote == {leader.credential}


def check_standby(plane: ControlPlane, replica: Replica) -> None:
    plane.wait(lambda: replica.operator.get("/readyz") == "ok\n", PATIENCE, "readiness")
    text = replica.operator.get("/metrics", replica.operator.metrics_port)
    told = {line.partition("{")[0].split()[0] for line in text.splitlines() if line[0] != "#"}
    assert all(name.startswith("cluster_audit_operator_") for name in told)
    # Ready is also who was refused; how it went is in the log of a replica.
    plane.wait(lambda: replica.knows("Pod"), PATIENCE, f"{replica.name} to know all pods")
    plane.wait(
        lambda: replica.measured("cluster_audit_operator_audits_total"), PATIENCE, "an audit"
    )


def kill(replica: Replica) -> None:
    replica.send(signal.SIGKILL)


def freeze(replica: Replica) -> None:
    replica.send(signal.SIGSTOP)


def cut(replica: Replica) -> None:
    replica.relay.cut()


def hold(replica: Replica) -> None:
    replica.relay.hold()


def come_back(replica: Replica) -> None:
    """Whatever was done to it ends."""
    replica.relay.mend()
    process = replica.operator.process
    assert process is not None
    if process.poll() is None:
        replica.send(signal.SIGCONT)
    else:
        replica.operator.start()


FAULTS: tuple[Callable[[Replica], None], ...] = (kill, freeze, hold, cut)


def test_a_leader_that_is_lost_is_followed_in_time_and_writes_no_more(
    plane: ControlPlane, replicas: Replicas, history: History
) -> None:
    rng = random.Random(SEED)
    took: dict[str, list[float]] = {}
    broken = {one.name for one in MOVING}
    for fault in itertools.islice(itertools.cycle(FAULTS), TAKEOVERS):
        leader = replicas.wait_for_leader()
        settled(plane, leader, history)
        time.sleep(rng.uniform(0, DURATION / 6))
        seconds = lose(plane, replicas, fault, rng.choice(MOVING), broken)
        took.setdefault(fault.__name__, []).append(seconds)
        mend(plane, leader, killed=fault is kill)
        settled(plane, replicas.wait_for_leader(leader), history)
    times = [one for each in took.values() for one in each]
    sys.stdout.write(summary(took, times, plane))
    assert max(times) < LONGEST
    assert check_writes(writes(plane))
    if "hold" in took:  # what the old leader had on its way arrived when another led
        assert refused_as_stale(writes(plane))


def lose(
    plane: ControlPlane,
    replicas: Replicas,
    fault: Callable[[Replica], None],
    rule: Rule,
    broken: set[str],
) -> float:
    """Take the leader away while something changes; seconds until another has published."""
    leader, before, start = replicas.leader(), since(plane), time.time()
    fault(leader)
    change(plane, rule, broken)
    seconds = published_after(plane, start, leader)
    there = rule.name in broken
    plane.wait(lambda: bool(about(plane, rule)) == there, PATIENCE, f"what became of {rule.name}")
    kept = since(plane)
    assert all(before[mark] == kept[mark] for mark in before.keys() & kept.keys())
    return seconds


def mend(plane: ControlPlane, replica: Replica, *, killed: bool) -> None:
    """It comes back, and sees that another leads."""
    come_back(replica)
    if not killed:
        plane.wait(lambda: not replica.leads, PATIENCE, "it to see that it does not lead")
    plane.wait(lambda: replica.operator.get("/readyz") == "ok\n", PATIENCE, "it to be ready")


def change(plane: ControlPlane, rule: Rule, broken: set[str]) -> None:
    """Break it, or mend it."""
    if rule.name in broken:
        apply(plane, stage.mended(rule))
        broken.remove(rule.name)
    else:
        apply(plane, stage.broken(rule))
        broken.add(rule.name)


def summary(took: dict[str, list[float]], times: list[float], plane: ControlPlane) -> str:
    each = "; ".join(f"{name} {', '.join(f'{one:.1f}' for one in t)}" for name, t in took.items())
    every = writes(plane)
    return (
        f"{len(times)} takeovers: min {min(times):.1f} s, median {statistics.median(times):.1f} s, "
        f"max {max(times):.1f} s ({each}); {check_writes(every)} statuses accepted, "
        f"{refused_as_stale(every)} refused as stale\n"
    )


def test_a_leader_that_is_stopped_writes_its_last_report_and_hands_over_at_once(
    plane: ControlPlane, replicas: Replicas, history: History
) -> None:
    leader = replicas.wait_for_leader()
    settled(plane, leader, history)
    rule = next(one for one in MOVING if not about(plane, one))
    plane.apply([report(**{**SPEC, "publishInterval": 300})])
    plane.wait(lambda: published_generation(plane) == generation(plane), PATIENCE, "the interval")
    apply(plane, stage.broken(rule))
    found = f'cluster_audit_findings{{loop="{rule.loop}",rule="{rule.code}"'
    plane.wait(lambda: has(leader, found), PATIENCE, "the finding to be measured")
    assert not about(plane, rule), "its turn to be written has not come"

    start = time.time()
    assert leader.operator.stop() == 0
    assert time.time() - start < 10
    assert published_after(plane, start, leader) < 10
    last = [one for one in writes(plane) if one.who == leader.credential and one.at > start]
    assert [one.resource for one in last if one.accepted][-2:] == [PLURAL, lease.PLURAL]
    assert (last[-1].holder, last[-1].code) == ("", 200)
    assert about(plane, rule)
    plane.apply([report(**SPEC)])
    settled(plane, replicas.wait_for_leader(leader), history)
    leader.operator.start()
    assert check_writes(writes(plane))


def generation(plane: ControlPlane) -> int:
    found: int = plane.api.get(*REPORT)["metadata"]["generation"]
    return found


def published_generation(plane: ControlPlane) -> int:
    found: int = status_of(plane)["observedGeneration"]
    return found


def has(replica: Replica, start: str) -> bool:
    """Whether a sample that starts like this is not 0."""
    text = replica.operator.get("/metrics", replica.operator.metrics_port)
    return any(one.startswith(start) and not one.endswith(" 0.0") for one in text.splitlines())


def test_a_lease_that_somebody_deletes_is_made_anew(
    plane: ControlPlane, replicas: Replicas, history: History
) -> None:
    plane.kubectl("delete", "lease", LEASE[2], "-n", LEASE[3])
    plane.wait(lambda: plane.api.get(*LEASE)["spec"]["holderIdentity"], 30, "a holder")
    settled(plane, replicas.wait_for_leader(), history)


def test_its_rights_to_the_lease_are_what_it_used(plane: ControlPlane, replicas: Replicas) -> None:
    """Of this module: renewed, read by others, and made anew once it was deleted."""
    group, leases = lease.GROUP, lease.PLURAL
    role = plane.api.get("rbac.authorization.k8s.io/v1", "Role", LEASE[2], LEASE[3])
    answered = [one for one in plane.audit_events(USER) if one["responseStatus"]["code"] < 400]
    used = {
        (one["verb"], group, leases)
        for one in answered
        if one.get("objectRef", {}).get("resource") == leases
    }
    assert used == granted(role["rules"])


def test_all_stop_in_time_while_the_api_server_is_away(
    plane: ControlPlane, replicas: Replicas
) -> None:
    """The last of the module: the leader can neither write its report nor release the Lease."""
    replicas.wait_for_leader()
    plane.kill("kube-apiserver")
    try:
        start = time.time()
        for one in replicas.every:
            one.send(signal.SIGTERM)
        for one in replicas.every:
            assert one.operator.process is not None
            assert one.operator.process.wait(10) == 0
        assert time.time() - start < 10
    finally:
        plane.restart("kube-apiserver")
