"""`python -m controlplane up|down|status|build`."""

import argparse
import sys
from pathlib import Path

from .binaries import BUILT, provide
from .golang import BinariesError
from .local import LocalError, State, default_state, down, is_healthy, supervise, up
from .objects import Object
from .processes import ComponentFailedError


def main(args: list[str] | None = None) -> int:
    """Run a command; 1 when it failed, or when `status` finds nothing that runs."""
    parser = argparse.ArgumentParser(prog="python -m controlplane", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start it in the background, and say how to use it")
    commands.add_parser("down", help="stop it")
    commands.add_parser("status", help="say whether it runs, where, and its versions")
    build = commands.add_parser("build", help="only build its programs")
    build.add_argument("names", nargs="*", help="all unless named")
    commands.add_parser("supervise").add_argument("folder", type=Path)
    chosen = parser.parse_args(args)
    state = State(chosen.folder) if chosen.command == "supervise" else default_state()
    try:
        return _run(chosen.command, state, getattr(chosen, "names", None))
    except (BinariesError, ComponentFailedError, LocalError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


def _run(command: str, state: State, names: list[str] | None) -> int:
    if command == "supervise":
        supervise(state)
    elif command == "build":
        paths = provide(names or BUILT)
        print(f"{len(paths)} programs in {next(iter(paths.values())).parent}")
    elif command == "up":
        _print_use(state, up(state))
    elif command == "down":
        print("stopped" if down(state) else "it does not run")
    else:
        return _status(state)
    return 0


def _print_use(state: State, facts: Object) -> None:
    print(f"The local control plane runs at {facts['server']}; it has no nodes yet.")
    print(f"  export KUBECONFIG={state.kubeconfig}")
    print(f"  {facts['kubectl']} get namespaces")


def _status(state: State) -> int:
    facts = state.read()
    if not state.running():
        print("it does not run: make cluster-up")
        return 1
    if not facts:
        print("it is being started")
        return 1
    print("ready" if is_healthy(state) else "runs, but its API server does not answer")
    rows = {"server": facts["server"], "KUBECONFIG": state.kubeconfig, "process": facts["pid"]}
    rows |= {"kubectl": facts["kubectl"], "audit log": facts["audit log"], **facts["versions"]}
    for name, value in rows.items():
        print(f"  {name:24} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
