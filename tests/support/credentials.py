"""Credentials of a scripted server: a token that counts how often it was renewed."""

import ssl
from pathlib import Path

from clusteraudit.kube.credentials import Files
from controlplane.certificates import Authority


class Credentials:
    name = "test"

    def __init__(self, server: str) -> None:
        self.server = server
        self.renewed = 0

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.renewed}"}

    def renew(self) -> None:
        self.renewed += 1

    def tls(self) -> None:
        return None

    def files(self) -> Files:
        return Files()


class Trusting(Credentials):
    """Of a server of TLS, whoever it is."""

    def tls(self) -> ssl.SSLContext:  # type: ignore[override]
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context


def tls_of(folder: Path) -> ssl.SSLContext:
    """What a server of TLS needs, with a certificate of an authority made there."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*Authority(folder / "authority").issue("server"))
    return context
