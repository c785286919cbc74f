"""`make demo`: first a snapshot, then a real control plane, broken, audited and mended."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from clusteraudit.rules.catalogue import catalogue
from controlplane import ControlPlane
from controlplane.binaries import Progress, missing
from controlplane.components import COMPONENTS
from controlplane.golang import BinariesError
from demo import stage
from demo.apply import apply
from demo.operator import (
    CHART,
    HOME_VALUES,
    NAMESPACE,
    RELEASE,
    USER,
    Operator,
    prepare,
    status_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SNAPSHOT = Path(__file__).with_name("cluster.jsonl")
MEND = "budget-blocks-drain"
_WAIT = 60.0
_REWRITE = "\r\x1b[K" if sys.stdout.isatty() else ""
"""On a terminal a clock shows that the build goes on."""


def main() -> int:
    """Run the demo; 130 when interrupted."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupted)
    building = Building()
    try:
        act_one()
        building.join()
        act_two(keep=bool(os.environ.get("KEEP")))
    except KeyboardInterrupt:
        building.stop()
        print("\ninterrupted: nothing runs any more, and what was built is kept", file=sys.stderr)
        return 130
    except BinariesError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt


class Building:
    """The build of the control plane in the background, its progress told when asked for."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lines: list[str] = []
        lacking = missing((*COMPONENTS, "kubectl", "helm"))
        if lacking:
            print(f"\nBuilding {len(lacking)} programs of the control plane in the background ...")
            self._process = subprocess.Popen(
                [sys.executable, "-m", "controlplane", "build", *lacking],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            threading.Thread(target=self._read, args=(self._process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is not None:
            self._lines.extend(iter(process.stdout.readline, ""))

    def join(self) -> None:
        """Wait until it is done, and show what it says."""
        process = self._process
        if process is None:
            return
        title("The control plane is being built (once; Ctrl-C keeps what is done)")
        shown, start = 0, time.monotonic()
        try:
            while process.poll() is None or shown < len(self._lines):
                for line in self._lines[shown:]:
                    print(f"{_REWRITE}  {line.rstrip()}", flush=True)
                    shown += 1
                if _REWRITE:
                    print(f"{_REWRITE}  {time.monotonic() - start:.0f} s", end="", flush=True)
                time.sleep(0.2)
            print(_REWRITE, end="")
        except BaseException:
            self.stop()
            raise
        if process.returncode:
            raise BinariesError("the build failed; its last lines are above")

    def stop(self) -> None:
        """End it; programs that are built stay."""
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            process.wait()


def act_one() -> None:
    """A scan of a file: no cluster is needed."""
    title("Act 1: a snapshot of a cluster in trouble")
    run("cluster-audit", "scan", "-f", str(SNAPSHOT.relative_to(Path.cwd())))


def act_two(*, keep: bool) -> None:
    """A real control plane, the operator, and one cause mended."""
    title("Act 2: a real control plane on this machine")
    folder = Path(tempfile.mkdtemp(prefix="cluster-audit-demo-"))
    try:
        with ControlPlane(folder=folder / "plane", progress=_quiet) as plane:
            print(f"API server, controllers, scheduler and KWOK run at {plane.server}")
            plane.install_metrics()
            print(f"Applying the examples of {len(list(catalogue()))} rules, broken on purpose ...")
            apply(plane, stage.everything())
            start = time.monotonic()
            chart(plane, folder / "values.yaml")
            title("The operator, with the token of the chart's ServiceAccount and nothing else")
            with Operator(plane.kubeconfig_for(USER), folder / "operator.log") as operator:
                until(lambda: "conditions" in status_of(plane), "the first report")
                took = time.monotonic() - start
                print(f"It was published {took:.1f} s after helm install began.")
                show(plane, operator)
                if keep:
                    stay(plane)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _quiet(_: Progress) -> None:
    """The build has told already."""


def chart(plane: ControlPlane, values: Path) -> None:
    """What anybody types; only that rules which wait do not, and that reports are quick."""
    title("The chart, in a namespace that enforces restricted pod security")
    prepare(plane)
    spec = {"publishInterval": 1, "rules": stage.eager(catalogue())}
    given = {"report": {"spec": spec}, "networkPolicy": {"enabled": True}}
    values.write_text(json.dumps(HOME_VALUES | given))
    folder = str(CHART.relative_to(Path.cwd()))
    print("(values.yaml: rules that wait do not, and what is new is published each second)")
    print(f"$ helm install {RELEASE} {folder} -n {NAMESPACE} -f {values.name}", flush=True)
    print(plane.helm("install", RELEASE, folder, "-n", NAMESPACE, "-f", str(values)).rstrip())


def show(plane: ControlPlane, operator: Operator) -> None:
    """What an engineer types, and sees."""
    codes = {rule.code for rule in catalogue()}
    until(lambda: codes <= {one["rule"] for one in _findings(plane)}, "every rule's finding")
    kubectl(plane, "get", "car")
    columns = r'{.severity}{"\t"}{.message}{"\n"}'
    path = "jsonpath={range .status.findings[*]}" + columns + "{end}"
    kubectl(plane, "get", "car", "cluster", "-o", path)
    kubectl(
        plane,
        "get",
        "car",
        "cluster",
        "-o",
        r'jsonpath={range .status.chains[*]}{.summary}{"\n"}{end}',
    )
    title("One cause is mended: the budget lets a pod go")
    rule = next(one for one in catalogue() if one.name == MEND)
    apply(plane, stage.mended(rule))
    start = time.monotonic()
    until(lambda: not _about(plane, MEND), "the finding to close")
    print(f"The report followed after {time.monotonic() - start:.1f} s.")
    kubectl(plane, "get", "car")
    title("Events and metrics say the same")
    events(plane)
    metrics(operator)


def events(plane: ControlPlane) -> None:
    """Those of the operator: findings that came, went or grew worse since it has begun."""
    ours = ("get", "events", "-A", "--field-selector", f"reportingComponent={RELEASE}")
    if not plane.kubectl(*ours, "-o", "name"):
        print("(no Event yet)")
        return
    columns = "TYPE:.type,REASON:.reason,KIND:.involvedObject.kind,NAME:.involvedObject.name"
    kubectl(plane, *ours, "-o", f"custom-columns={columns}")


_SHOWN = r"^cluster_audit_(score|chains|findings.*critical.* [1-9])"


def metrics(operator: Operator) -> None:
    """A few of them, as Prometheus reads them."""
    print(f"$ curl -s localhost:{operator.metrics_port}/metrics | grep -E '{_SHOWN}'")
    text = operator.get("/metrics", operator.metrics_port)
    print("\n".join(line for line in text.splitlines() if re.search(_SHOWN, line)))


def _findings(plane: ControlPlane) -> list[dict[str, str]]:
    found: list[dict[str, str]] = status_of(plane).get("findings", [])
    return found


def _about(plane: ControlPlane, name: str) -> bool:
    found = status_of(plane).get("findings", [])
    return any(one["name"] == name and one["object"].get("namespace") == name for one in found)


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait, with a dot each second."""
    start = time.monotonic()
    print(f"Waiting for {what} ", end="", flush=True)
    while not condition():
        if time.monotonic() - start > _WAIT:
            raise TimeoutError(f"waited {_WAIT:g} s for {what}")
        print(".", end="", flush=True)
        time.sleep(1)
    print()


def stay(plane: ControlPlane) -> None:
    """Leave it running until the user has seen enough."""
    title("It goes on running (KEEP=1)")
    print(f"In another terminal:\n  export KUBECONFIG={plane.kubeconfig}")
    print(f"  alias kubectl={plane.kubectl_path}\n  kubectl get car")
    print("Ctrl-C here stops all of it.")
    while True:
        plane.check()
        time.sleep(1)


def title(text: str) -> None:
    """A headline."""
    print(f"\n=== {text}\n", flush=True)


def run(*command: str) -> None:
    """Show a command, then run it."""
    print(f"$ {' '.join(command)}", flush=True)
    program = Path(sys.executable).with_name(command[0])
    subprocess.run([str(program), *command[1:]], check=True)


def kubectl(plane: ControlPlane, *arguments: str) -> None:
    """Show a kubectl command, then run it."""
    said = " ".join(f"'{one}'" if "{" in one else one for one in arguments)
    print(f"$ kubectl {said}\n{plane.kubectl(*arguments).rstrip()}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
