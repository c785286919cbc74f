"""Every status that a report ever had, and the Events that these call for: an oracle apart from us.

It watches the report with kubectl and compares each status with the one before, by the fields that
users see. Nothing of the operator's own memory is in it.
"""

import json
import subprocess
import threading
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families

from clusteraudit.report.resource import PLURAL
from clusteraudit.rules.catalogue import catalogue
from clusteraudit.rules.kit import ACTIONS, Severity
from controlplane import ControlPlane
from demo.operator import Operator, status_of

Status = dict[str, Any]
OF_FINDINGS = set(ACTIONS.values())
"""Others are of the report's own conditions."""


@dataclass
class History:
    """Statuses in the order in which the API server accepted them."""

    plane: ControlPlane
    name: str = "cluster"
    statuses: list[Status] = field(default_factory=list)
    _process: subprocess.Popen[str] | None = None
    _thread: threading.Thread = field(default_factory=threading.Thread)

    def __enter__(self) -> Self:
        command = [
            *(str(self.plane.kubectl_path), f"--kubeconfig={self.plane.kubeconfig}"),
            *("get", PLURAL, self.name, "--watch", "--output=json"),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self.plane.wait(lambda: self.statuses, 30, "the first version of the report")
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.stdout is not None:
            self._process.terminate()
            self._process.wait(10)
            self._thread.join(10)
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        text, decoder = "", json.JSONDecoder()
        for line in self._process.stdout:
            text += line
            if line.rstrip() == "}":
                report, end = decoder.raw_decode(text)
                text = text[end:].lstrip()
                self.statuses.append(report.get("status", {}))

    def settled(self) -> bool:
        """Whether the last status calls for nothing any more."""
        last = self.statuses[-1]
        return bool(last) and not last.get("events")

    @property
    def told(self) -> list[Status]:
        """Those that the operator wrote."""
        return [one for one in self.statuses if "ledger" in one]

    def called_for(self) -> Counter[str]:
        """Names of Events of findings, and how often each occurred."""
        pairs = pairwise(self.told)
        return Counter(name for before, after in pairs for name in _between(before, after))


def _between(before: Status, after: Status) -> list[str]:
    old, new = ({one["fingerprint"]: one for one in each["findings"]} for each in (before, after))
    names = [f"{mark}.resolved" for mark in old.keys() - new.keys()]
    for mark, one in new.items():
        if mark not in old:
            names.append(f"{mark}.opened")
        elif _rank(one) < _rank(old[mark]):
            names.append(f"{mark}.raised-{one['severity']}")
        elif _unknown(one, after) and not _unknown(old[mark], before):
            names.append(f"{mark}.unknown")
    return names


def _unknown(finding: dict[str, Any], status: Status) -> bool:
    """Of a kind that is not heard of for now, the report tells, not every finding."""
    silent = {one["kind"] for one in status.get("inputs", ()) if one.get("reason") == "Stale"}
    rule = catalogue().get(finding["rule"])
    return bool(finding.get("stale")) and not (rule and silent & set(rule.reads))


def _rank(finding: dict[str, Any]) -> int:
    return Severity(finding["severity"]).rank


def sent(plane: ControlPlane) -> list[dict[str, Any]]:
    """All Events of ours."""
    found = plane.api.items("events.k8s.io/v1", "Event")
    return [one for one in found if one.get("reportingController") == "cluster-audit"]


def counted(events: list[dict[str, Any]]) -> Counter[str]:
    """How often each occurred, by name; those of findings only."""
    return Counter(
        {
            one["metadata"]["name"]: one.get("series", {}).get("count", 1)
            for one in events
            if one["action"] in OF_FINDINGS
        }
    )


def open_by(events: list[dict[str, Any]]) -> set[str]:
    """Fingerprints of findings of which an Event says last that they are there."""
    last: dict[str, tuple[str, str]] = {}
    for one in events:
        mark, _, turn = one["metadata"]["name"].partition(".")
        when = one.get("series", {}).get("lastObservedTime") or one["eventTime"]
        if one["action"] in OF_FINDINGS:
            last[mark] = max(last.get(mark, ("", "")), (when, turn))
    return {mark for mark, (_, turn) in last.items() if turn != "resolved"}


def agree(plane: ControlPlane, operator: Operator, history: History) -> bool:
    """Status, metrics and Events say the same; raises AssertionError while they do not."""
    assert history.settled(), "Events are not sent yet"
    events, status = sent(plane), status_of(plane)
    assert status == history.statuses[-1]
    told, called = counted(events), history.called_for()
    assert told == called, f"told {told - called}, not told {called - told}"
    listed = {one["fingerprint"] for one in status["findings"]}
    first = {one["fingerprint"] for one in history.told[0]["findings"]}
    assert open_by(events) <= listed <= open_by(events) | first
    assert _measured(operator) == _by_severity(status)
    return True


def _measured(operator: Operator) -> Counter[tuple[str, str]]:
    text = operator.get("/metrics", operator.metrics_port)
    found = {one.name: one.samples for one in text_string_to_metric_families(text)}
    return Counter(
        {
            (one.labels["rule"], one.labels["severity"]): int(one.value)
            for one in found["cluster_audit_findings"]
            if one.value
        }
    )


def _by_severity(status: Status) -> Counter[tuple[str, str]]:
    return Counter((one["rule"], one["severity"]) for one in status["findings"])
