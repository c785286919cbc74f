"""Credentials of a scripted server: a token that counts how often it was renewed."""

from clusteraudit.kube.credentials import Files


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
