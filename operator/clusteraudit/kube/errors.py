"""What can go wrong with the API server, each with a message that says what was tried."""

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises on bytes that are not what they should be."""


class KubeConfigError(Exception):
    """No usable credentials; the message names the cause and the remedy."""


class UnreachableError(Exception):
    """No answer: refused, timed out, unknown host, or TLS that does not verify."""


class SlowError(UnreachableError):
    """It was reached, and does not answer in time."""


class UntrustedError(UnreachableError):
    """A certificate that does not verify, the server's or ours: it may have been rotated."""


class ApiError(Exception):
    """An answer that is a refusal, or none that can be read."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class UnauthorizedError(ApiError):
    """401: the credentials are not, or no longer, valid."""


class ForbiddenError(ApiError):
    """403: the credentials do not allow it."""


class NotFoundError(ApiError):
    """404: no such object, or the API is not served."""


class ConflictError(ApiError):
    """409: somebody else wrote first."""


class GoneError(ApiError):
    """410: the resourceVersion or the continue token is too old."""


BY_STATUS: dict[int, type[ApiError]] = {
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
}
