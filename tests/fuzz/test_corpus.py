"""What fuzzing has found is tried again, each time."""

import pytest

from fuzz.seeds import kept, seeds
from fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_what_was_found_before(target: str) -> None:
    inputs = list(kept(target))
    assert inputs
    for data in inputs:
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_what_fuzzing_begins_with(target: str) -> None:
    for seed in seeds(target):
        TARGETS[target](seed)
