"""What the server is, and what it serves."""

import msgspec

from clusteraudit.kube.session import Session


class _Version(msgspec.Struct, rename="camel"):
    git_version: str = ""


class _Group(msgspec.Struct):
    name: str


class _Groups(msgspec.Struct):
    groups: list[_Group] = []


async def version(session: Session) -> str:
    """The server's version, such as `v1.37.2`."""
    return (await session.get("/version", _Version)).git_version


async def groups(session: Session) -> list[str]:
    """Names of the API groups that are served."""
    return sorted(one.name for one in (await session.get("/apis", _Groups)).groups)
