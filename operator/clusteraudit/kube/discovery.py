"""What the server is, and what it serves."""

import msgspec

from clusteraudit.kube.errors import NotFoundError
from clusteraudit.kube.session import Session


class _Version(msgspec.Struct, rename="camel"):
    git_version: str = ""


class _Group(msgspec.Struct):
    name: str


class _Groups(msgspec.Struct):
    groups: list[_Group] = []


class _Resource(msgspec.Struct):
    name: str


class _Resources(msgspec.Struct):
    resources: list[_Resource] = []


async def version(session: Session) -> str:
    """The server's version, such as `v1.37.2`."""
    return (await session.get("/version", _Version)).git_version


async def groups(session: Session) -> list[str]:
    """Names of the API groups that are served."""
    return sorted(one.name for one in (await session.get("/apis", _Groups)).groups)


async def serves(session: Session, api_version: str, plural: str) -> bool:
    """Whether a resource is among those that are served, by the server's own account."""
    root = "/apis" if "/" in api_version else "/api"
    try:
        found = await session.get(f"{root}/{api_version}", _Resources)
    except NotFoundError:
        return False
    return any(one.name == plural for one in found.resources)
