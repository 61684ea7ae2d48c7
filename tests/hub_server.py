"""A local Hub for tests: a threaded HTTP server that the unmodified huggingface_hub client takes for the Hub.

    hub = LocalHub()
    hub.start()                                  # hub.url goes into HF_ENDPOINT, before huggingface_hub is imported
    hub.add_user("owner", "a-token")
    hub.faults.add("GET /cdn/", kind="cut", after=1000, times=2)

By hand: `python tests/hub_server.py --port 8000 --user owner --token a-token`. The client must be started with
HF_HUB_DISABLE_XET=1: this server speaks Git LFS, not the Xet storage protocol.
"""

import argparse
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from hub_faults import Fault, Faults
from hub_messages import HubError, Request, Response
from hub_routes import Routes
from hub_store import Store, User


@dataclass(frozen=True)
class Seen:
    """One request that was answered, for assertions."""

    method: str
    path: str
    token: str | None
    status: int
    received: int  # bytes of the request's body


class _Dropped(Exception):
    """The connection is to be closed without an answer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        hub, line = self.server.hub, f"{self.command} {self.path}"
        fault = hub.faults.take(line)
        received = 0
        try:
            body = self._body(fault)
            received = len(body)
            response = self._respond(hub, body, fault)
        except _Dropped:
            hub.note(self, 0, received)
            self.close_connection = True
            return
        hub.note(self, response.status, received)
        self._send(response, fault)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer

    def _body(self, fault: Fault | None) -> bytes:
        dropped = fault is not None and fault.kind == "drop"
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            content = bytearray()
            while size := int(self.rfile.readline().split(b";")[0], 16):
                content += self.rfile.read(size)
                self.rfile.readline()
                if dropped and len(content) >= fault.after:
                    raise _Dropped
            self.rfile.readline()
        else:
            length = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(min(length, fault.after) if dropped else length)
        if dropped:
            raise _Dropped
        return bytes(content)

    def _respond(self, hub: "LocalHub", body: bytes, fault: Fault | None) -> Response:
        if fault is not None and fault.kind == "status":
            code = fault.headers.get("X-Error-Code")
            response = HubError(fault.status, fault.message, code).response
            response.headers.update(fault.headers)
            return response
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        return hub.routes.handle(Request(self.command, parts.path, parse_qs(parts.query), headers, body, base=hub.url))

    def _send(self, response: Response, fault: Fault | None) -> None:
        body, announced, kind = response.body, len(response.body), fault.kind if fault else None
        if kind == "corrupt" and body:
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 0xFF]) + body[middle + 1 :]
        elif kind == "short":
            body = body[: fault.after]
            announced = len(body)
        elif kind == "cut":
            body = body[: fault.after]
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(announced))
        self.send_header("X-Request-Id", "local")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if kind == "cut":
            self.close_connection = True

    def log_message(self, *args) -> None:
        """Quiet: tests read `LocalHub.seen`."""


class LocalHub:
    """The server with its state; a context manager that starts and stops it."""

    def __init__(self, port: int = 0):
        self.store = Store()
        self.faults = Faults(threading.Lock())
        self.routes = Routes(self.store)
        self.seen: list[Seen] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
        self._server.daemon_threads = True
        self._server.hub = self
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> "LocalHub":
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> "LocalHub":
        return self.start()

    def __exit__(self, *exc) -> None:
        self.stop()

    def add_user(self, name: str, token: str, can_write: bool = True, organisations: tuple[str, ...] = ()) -> User:
        user = User(name, can_write, organisations)
        self.store.users[token] = user
        return user

    def note(self, handler: BaseHTTPRequestHandler, status: int, received: int) -> None:
        header = handler.headers.get("Authorization")
        token = header.removeprefix("Bearer ") if header else None
        self.seen.append(Seen(handler.command, handler.path, token, status, received))

    def clear(self) -> None:
        """Forget everything but the users and the address."""
        self.faults.clear()
        self.seen.clear()
        with self.store.lock:
            for kept in (self.store.repos, self.store.moved, self.store.blobs, self.store.large, self.store.parts):
                kept.clear()
            self.store.collections.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--user", default="owner")
    parser.add_argument("--token", default="local-token")
    options = parser.parse_args()
    hub = LocalHub(options.port)
    hub.add_user(options.user, options.token)
    with hub:
        print(f"HF_ENDPOINT={hub.url} HF_HUB_DISABLE_XET=1 HF_TOKEN={options.token}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
