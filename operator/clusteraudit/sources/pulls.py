"""Why an image cannot be pulled, read from what the kubelet says; the text itself is not kept.

The kubelet passes the runtime's words on (`pkg/kubelet/images/image_manager.go`), and repeats them
while it backs off. They differ between runtimes and registries, so that they are hints: what none
of them names is OTHER. Reading a member's own value gives the member, so that a snapshot can be
read back.
"""

import re
from enum import StrEnum

_QUOTED = re.compile(r'"[^"]*"')
"""Names of images and addresses: they can hold any word."""


class Pull(StrEnum):
    """Why a pull failed."""

    DENIED = "denied"
    """The registry wants other credentials, or hides what they may not see."""
    MISSING = "missing"
    """There is no such image or tag."""
    LIMITED = "limited"
    """The registry refuses more pulls for now."""
    UNREACHABLE = "unreachable"
    """No connection, no name, no trust in its certificate."""
    INVALID = "invalid"
    """The image's name cannot be parsed."""
    NEVER = "never"
    """It is not on the node, and its pull policy forbids to fetch it."""
    OTHER = "other"
    """The status does not say."""


_BY_REASON = {
    "ErrImagePull": Pull.OTHER,
    "ImagePullBackOff": Pull.OTHER,
    "RegistryUnavailable": Pull.UNREACHABLE,
    "InvalidImageName": Pull.INVALID,
    "ErrImageNeverPull": Pull.NEVER,
}

_HINTS = (
    (Pull.LIMITED, ("toomanyrequests", "too many requests", "rate limit")),
    (
        Pull.DENIED,
        (
            "unauthorized",
            "forbidden",
            "denied",
            "authentication required",
            "authorization failed",
            "no basic auth credentials",
        ),
    ),
    (Pull.MISSING, ("not found", "manifest unknown", "name unknown", "no such image")),
    (
        Pull.UNREACHABLE,
        (
            "i/o timeout",
            "timeout exceeded",
            "deadline exceeded",
            "no such host",
            "connection refused",
            "connection reset",
            "no route to host",
            "network is unreachable",
            "server misbehaving",
            "tls handshake",
            "x509",
            "http response to https client",
        ),
    ),
)
"""In this order: a registry that hides an image says both `not found` and `access denied`."""


def pull_failure(message: str) -> Pull:
    """What a message says of a failed pull."""
    if message in set(Pull):
        return Pull(message)
    text = _QUOTED.sub("", message).lower()
    hinted = (pull for pull, hints in _HINTS if any(hint in text for hint in hints))
    return next(hinted, Pull.OTHER)


def pull_of(reason: str, said: str) -> Pull | None:
    """Why a container that waits for `reason` has no image; None where it waits for more."""
    found = _BY_REASON.get(reason)
    return Pull(said) if found is Pull.OTHER and said else found


def registry(image: str) -> str:
    """The host part of an image's name, with its slash; names without one are Docker Hub's."""
    host, slash, _ = image.partition("/")
    named = slash and ("." in host or ":" in host or host == "localhost")
    return f"{host}/" if named else "docker.io/"
