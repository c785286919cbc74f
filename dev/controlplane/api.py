"""The few things that tests ask of an API server, over HTTP and many at once.

kubectl takes 50 ms for one object; this takes 1 ms. It is no client for the product: no watches, no
caches.
"""

import base64
import functools
import http.client
import json
import queue
import ssl
import urllib.parse
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .errors import ApiError
from .objects import Object, is_established, yaml_text
from .waiting import wait

PARALLEL = 16
TIMEOUT = 60.0
MANAGER = "controlplane-tests"
# What others need before they can exist.
FIRST = {
    "CustomResourceDefinition",
    "Namespace",
    "PriorityClass",
    "RuntimeClass",
    "ServiceAccount",
    "StorageClass",
}
APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"


@dataclass(frozen=True)
class Access:
    """Where an API server is, and as whom to speak to it: by token or by certificate."""

    server: str
    ca: Path
    token: str = ""
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Trusts this server's authority alone."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if self.certificate and self.key:
            context.load_cert_chain(self.certificate, self.key)
        return context

    def kubeconfig(self) -> str:
        """A kubeconfig that needs no other file."""
        user: Object = {"token": self.token} if self.token else {}
        if self.certificate and self.key:
            user = {
                "client-certificate-data": _encoded(self.certificate),
                "client-key-data": _encoded(self.key),
            }
        cluster = {"server": self.server, "certificate-authority-data": _encoded(self.ca)}
        return yaml_text(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "local",
                "clusters": [{"name": "local", "cluster": cluster}],
                "users": [{"name": "local", "user": user}],
                "contexts": [{"name": "local", "context": {"cluster": "local", "user": "local"}}],
            }
        )


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


class Connections:
    """Open connections to one server, each used by one thread at a time."""

    def __init__(self, access: Access) -> None:
        self._host = urllib.parse.urlsplit(access.server).netloc
        self._context = access.context()
        self._idle: queue.LifoQueue[http.client.HTTPSConnection] = queue.LifoQueue()

    def exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, str]:
        """One request; anew on a fresh connection when an idle one turns out to be closed."""
        while True:
            connection, fresh = self._take()
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                text = answer.read().decode()
            except BaseException as error:
                connection.close()
                if fresh or not isinstance(error, OSError | http.client.HTTPException):
                    raise
                continue
            self._idle.put(connection)
            return answer.status, text

    def _take(self) -> tuple[http.client.HTTPSConnection, bool]:
        try:
            return self._idle.get_nowait(), False
        except queue.Empty:
            connection = http.client.HTTPSConnection(
                self._host, context=self._context, timeout=TIMEOUT
            )
            return connection, True

    def close(self) -> None:
        """Close what is idle."""
        while not self._idle.empty():
            self._idle.get_nowait().close()


class Api:
    """An API server as one user sees it."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._connections = Connections(access)
        self._kinds: dict[str, dict[str, Object]] = {}

    def close(self) -> None:
        """Close the connections; a later request opens them anew."""
        self._connections.close()

    def request(
        self, method: str, path: str, body: Object | None = None, content: str = "application/json"
    ) -> Object:
        """One request, its answer parsed; raises ApiError."""
        headers = {"Accept": "application/json", "Content-Type": content}
        if self.access.token:
            headers["Authorization"] = f"Bearer {self.access.token}"
        data = None if body is None else json.dumps(body).encode()
        status, text = self._connections.exchange(method, path, data, headers)
        if status >= http.client.BAD_REQUEST:
            raise ApiError(f"{method} {path}", status, text)
        try:
            parsed: Object = json.loads(text)
        except ValueError:
            return {"text": text}
        return parsed

    def path(self, api_version: str, kind: str, namespace: str = "", name: str = "") -> str:
        """The path of a collection, or of an object when it has a name."""
        resource = self._resource(api_version, kind)
        parts = [_root(api_version)]
        if resource["namespaced"] and namespace:
            parts += ["namespaces", namespace]
        parts += [resource["name"], *([urllib.parse.quote(name)] if name else [])]
        return "/".join(parts)

    def _resource(self, api_version: str, kind: str) -> Object:
        """Asked of the server once; again when a kind is not known, for it may be new."""
        if kind not in self._kinds.get(api_version, {}):
            resources = self.request("GET", _root(api_version))["resources"]
            plain = [resource for resource in resources if "/" not in resource["name"]]
            self._kinds[api_version] = {resource["kind"]: resource for resource in plain}
        try:
            return self._kinds[api_version][kind]
        except KeyError:
            raise LookupError(f"the server has no kind {kind} in {api_version}") from None

    def object_path(self, manifest: Object, *, collection: bool = False) -> str:
        """The path of an object, or of the collection that it goes into."""
        metadata = manifest["metadata"]
        kind = (manifest["apiVersion"], manifest["kind"])
        namespace = ""
        if self._resource(*kind)["namespaced"]:
            namespace = metadata.get("namespace", "default")
        return self.path(*kind, namespace, "" if collection else metadata["name"])

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Object:
        """One object."""
        return self.request("GET", self.path(api_version, kind, namespace, name))

    def items(
        self, api_version: str, kind: str, namespace: str = "", query: str = ""
    ) -> list[Object]:
        """All of a kind in one namespace or in all; `query` as in a URL (`labelSelector=a%3Db`)."""
        answer = self.request("GET", f"{self.path(api_version, kind, namespace)}?{query}")
        items: list[Object] = answer["items"]
        return items

    def create(self, manifests: Iterable[Object]) -> list[Object]:
        """Create them, what others need first, then the rest many at once."""
        return self._waves(manifests, self.create_one)

    def apply(self, manifests: Iterable[Object]) -> list[Object]:
        """Apply them on the server's side, over any other owner of their fields."""
        return self._waves(manifests, self.apply_one)

    def delete(self, manifests: Iterable[Object], grace: int | None = None) -> None:
        """Delete them; what is gone already is no error."""
        options = {} if grace is None else {"gracePeriodSeconds": grace}
        _parallel(lambda manifest: self._delete_one(manifest, options), list(manifests))

    def patch(self, manifest: Object, change: Object, subresource: str = "") -> Object:
        """Merge a change into an object: `{"status": ...}` with the subresource `status`."""
        path = self.object_path(manifest) + (f"/{subresource}" if subresource else "")
        return self.request("PATCH", path, change, MERGE)

    def create_one(self, manifest: Object) -> Object:
        """Create one object; it may have a `generateName`."""
        return self.request("POST", self.object_path(manifest, collection=True), manifest)

    def apply_one(self, manifest: Object) -> Object:
        """Apply one object."""
        path = f"{self.object_path(manifest)}?fieldManager={MANAGER}&force=true"
        return self.request("PATCH", path, manifest, APPLY)

    def _delete_one(self, manifest: Object, options: Object) -> None:
        try:
            self.request("DELETE", self.object_path(manifest), options)
        except ApiError as error:
            if error.status != http.client.NOT_FOUND:
                raise

    def _waves(
        self, manifests: Iterable[Object], write: Callable[[Object], Object]
    ) -> list[Object]:
        every = list(manifests)
        first = [manifest for manifest in every if manifest["kind"] in FIRST]
        rest = [manifest for manifest in every if manifest["kind"] not in FIRST]
        done = [write(manifest) for manifest in first]
        self._await_served(done)
        if rest:
            # Ask once what is served, not in every thread.
            self.object_path(rest[0], collection=True)
        return done + _parallel(write, rest)

    def _await_served(self, written: Iterable[Object]) -> None:
        for crd in (each for each in written if each["kind"] == "CustomResourceDefinition"):
            path = self.object_path(crd)
            established = functools.partial(self._is_established, path)
            wait(established, what=f"{path} to be served")

    def _is_established(self, path: str) -> bool:
        return is_established(self.request("GET", path))


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _parallel(work: Callable[[Object], Object | None], items: Sequence[Object]) -> list[Object]:
    """In many threads; the first error is raised when all have ended."""
    if len(items) <= 1:
        return [result for result in map(work, items) if result is not None]
    with ThreadPoolExecutor(min(PARALLEL, len(items))) as pool:
        return [result for result in pool.map(work, items) if result is not None]
