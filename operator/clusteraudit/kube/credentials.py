"""Where the API server is, and who we are there. The official client is used for this alone."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from clusteraudit.kube.errors import KubeConfigError

_IN_CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_REMEDY = "set KUBECONFIG or --kubeconfig, or read a snapshot with -f"


@dataclass(frozen=True)
class Files:
    """Where certificates are, for a client that has its own session."""

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    insecure: bool = False


class Credentials(Protocol):
    """What a session needs; `headers` is asked before each request, `renew` after a 401."""

    @property
    def server(self) -> str:
        """Root of the API server's addresses."""

    @property
    def name(self) -> str:
        """By what name it was reached."""

    def headers(self) -> dict[str, str]:
        """Headers that say who we are."""

    def renew(self) -> None:
        """Read the credentials anew; may run an exec plugin, so not on an event loop."""

    def tls(self) -> ssl.SSLContext | None:
        """How to verify the server, and our certificate; None for plain HTTP."""

    def files(self) -> Files:
        """The same, as files."""


class _Configuration(Protocol):
    """What we use of the official client's configuration."""

    host: str
    ssl_ca_cert: str | None
    cert_file: str | None
    key_file: str | None
    verify_ssl: bool

    def get_api_key_with_prefix(self, identifier: str, alias: str) -> str | None:
        """The value of a header; basic authentication comes as one, too."""


@dataclass
class KubeconfigCredentials:
    """Credentials of a kubeconfig, exec plugins and OIDC included."""

    path: str | None
    context: str | None
    user: str | None = None
    server: str = ""
    name: str = ""
    _held: _Configuration | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Load the kubeconfig anew; raises KubeConfigError."""
        self._held, self.name = _load(self.path, self.context)
        self.server = self._held.host.rstrip("/")

    def headers(self) -> dict[str, str]:
        """Authorization, and whom to impersonate."""
        held = self._configuration()
        token = held.get_api_key_with_prefix("BearerToken", alias="authorization")
        found = {"Authorization": token} if token else {}
        return found | ({"Impersonate-User": self.user} if self.user else {})

    def tls(self) -> ssl.SSLContext | None:
        """The context that the kubeconfig asks for; raises KubeConfigError."""
        held = self._configuration()
        if not self.server.startswith("https"):
            return None
        try:
            context = ssl.create_default_context(cafile=held.ssl_ca_cert or None)
            if held.cert_file:
                context.load_cert_chain(held.cert_file, held.key_file)
        except (OSError, ssl.SSLError) as error:
            raise KubeConfigError(f"certificates of the kubeconfig are unusable: {error}") from None
        if not held.verify_ssl:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def files(self) -> Files:
        """Files of the kubeconfig, or made from its data."""
        held = self._configuration()
        return Files(held.ssl_ca_cert, held.cert_file, held.key_file, not held.verify_ssl)

    def _configuration(self) -> _Configuration:
        if self._held is None:
            self.renew()
        if self._held is None:
            raise KubeConfigError("the kubeconfig was not loaded")
        return self._held


def _load(path: str | None, context: str | None) -> tuple[_Configuration, str]:
    from kubernetes import client, config
    from yaml import YAMLError

    held = client.Configuration()
    where = path or "the default kubeconfig"
    try:
        config.load_kube_config(
            config_file=path, context=context, client_configuration=held, persist_config=False
        )
        _, active = config.list_kube_config_contexts(config_file=path)
        name = context or active["name"]
    except config.ConfigException as error:
        raise KubeConfigError(f"{where}: {_first_line(error)}; {_REMEDY}") from None
    except (OSError, YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise KubeConfigError(
            f"{where} is not a kubeconfig: {_first_line(error)}; {_REMEDY}"
        ) from None
    return held, name


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0] or type(error).__name__


@dataclass
class InClusterCredentials:
    """The ServiceAccount of the pod; its token is read for every request, since it rotates."""

    host: str
    port: str
    folder: Path = _IN_CLUSTER
    name: str = "in-cluster"

    @property
    def server(self) -> str:
        """Where the API server is, as seen from a pod."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port}"

    def headers(self) -> dict[str, str]:
        """The token as it is now; raises KubeConfigError."""
        try:
            token = (self.folder / "token").read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise KubeConfigError(f"{self.folder}/token cannot be read: {error}") from None
        return {"Authorization": f"Bearer {token}"}

    def renew(self) -> None:
        """Nothing to do: the token is never kept."""

    def tls(self) -> ssl.SSLContext | None:
        """The cluster's own authority; raises KubeConfigError."""
        try:
            return ssl.create_default_context(cafile=self.folder / "ca.crt")
        except (OSError, ssl.SSLError) as error:
            raise KubeConfigError(f"{self.folder}/ca.crt is unusable: {error}") from None

    def files(self) -> Files:
        """The mounted authority."""
        return Files(ca=str(self.folder / "ca.crt"))


def own_namespace() -> str | None:
    """The namespace of the pod that we run in; None where it is no pod."""
    try:
        return (_IN_CLUSTER / "namespace").read_text().strip() or None
    except OSError:
        return None


def in_cluster(host: str | None, port: str | None) -> InClusterCredentials | None:
    """Credentials of the pod that we run in, by its environment; None where it is no pod."""
    if host and port and (_IN_CLUSTER / "token").is_file():
        return InClusterCredentials(host, port)
    return None
