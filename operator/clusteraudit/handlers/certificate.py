"""The certificate of the metrics' endpoint: two files, read again when they change."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)
_Stamp = tuple[tuple[int, int, int], ...]


class CertificateError(Exception):
    """The files cannot be used; the message says which, and why."""


@dataclass(frozen=True)
class CertificateFiles:
    """Where a certificate and its key are, in PEM; a mounted Secret renews both."""

    certificate: Path
    key: Path


class Certificate:
    """What new connections are served with; raises CertificateError at the start only.

    What cannot be read later, or is half renewed, is told once, and the last pair serves on.
    """

    def __init__(self, files: CertificateFiles) -> None:
        self._files = files
        self._context = _load(files)
        self._seen = self._stamp()

    def context(self) -> ssl.SSLContext:
        """With the files as they are now."""
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            try:
                self._context = _load(self._files)
                _log.info("the certificate is read anew")
            except CertificateError as error:
                _log.warning("the certificate is not renewed", error=str(error))
        return self._context

    def _stamp(self) -> _Stamp:
        try:
            found = (one.stat() for one in (self._files.certificate, self._files.key))
            return tuple((one.st_mtime_ns, one.st_ino, one.st_size) for one in found)
        except OSError:
            return ()


def _load(files: CertificateFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(files.certificate, files.key)
    except (OSError, ssl.SSLError) as error:
        raise CertificateError(f"{files.certificate}, {files.key}: {error}") from None
    return context
