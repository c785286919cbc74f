"""Places that findings are about though no object of the API stands for them."""

from clusteraudit.model.rows import Ref


def pool_ref(name: str) -> Ref:
    """A pool of nodes."""
    return Ref("", "Pool", "", name)


def zone_ref(name: str) -> Ref:
    """A zone."""
    return Ref("", "Zone", "", name)
