"""Fuzz one target: `python -m fuzz TARGET FOLDER [options of libFuzzer]`; new inputs go there."""

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["clusteraudit"]):
    from fuzz.seeds import NASTY, kept, seeds
    from fuzz.targets import TARGETS

_STRUCTURED = {"decoder": 1, "selector": 0}
"""Targets that read JSON, and from which byte on."""


def main() -> None:
    """Run until libFuzzer's options say that it is enough, or until something breaks."""
    name, corpus, *more = sys.argv[1:]
    Path(corpus).mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate((*seeds(name), *kept(name))):
        (Path(corpus) / f"seed-{number}").write_bytes(seed)
    mutator = {"custom_mutator": _mutator(_STRUCTURED[name])} if name in _STRUCTURED else {}
    atheris.Setup([sys.argv[0], corpus, *more], TARGETS[name], **mutator)
    atheris.Fuzz()


def _mutator(begin: int) -> Callable[[bytes, int, int], bytes]:
    """Changes a value somewhere in the JSON, as often as bytes."""

    def mutate(data: bytes, size: int, seed: int) -> bytes:
        rng = random.Random(seed)
        try:
            value = json.loads(data[begin:])
        except (ValueError, RecursionError):
            return bytes(atheris.Mutate(data, size))
        if rng.random() < 0.2:
            return bytes(atheris.Mutate(data, size))
        head = data[:begin] if rng.random() < 0.9 else bytes([rng.randrange(256)])[:begin]
        for _ in range(rng.randint(1, 3)):
            value = changed(value, rng)
        return (head + json.dumps(value).encode())[:size]

    return mutate


def changed(value: object, rng: random.Random) -> object:
    """The value with one place in it replaced, repeated or left out."""
    if not value or not isinstance(value, dict | list) or rng.random() < 0.1:
        return rng.choice(NASTY)
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = rng.choice(keys)
    copy = dict(value) if isinstance(value, dict) else list(value)
    turn = rng.random()
    if turn < 0.1:
        del copy[key]
    elif turn < 0.2 and isinstance(copy, list):
        copy.append(copy[key])
    else:
        copy[key] = changed(copy[key], rng)
    return copy


if __name__ == "__main__":
    main()
