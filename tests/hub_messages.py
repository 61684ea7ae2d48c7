"""Requests and responses of the local Hub, apart from sockets."""

import json
from dataclasses import dataclass, field

from hub_store import User


@dataclass
class Request:
    method: str
    path: str  # still quoted
    query: dict[str, list[str]]
    headers: dict[str, str]  # lower-case names
    body: bytes
    base: str  # "http://127.0.0.1:port"
    user: User | None = None

    def json(self):
        return json.loads(self.body or b"{}")

    def flag(self, name: str) -> bool:
        return self.query.get(name, ["false"])[0].lower() in ("true", "1")


@dataclass
class Response:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class HubError(Exception):
    """An answer that is an error, with the headers that the client reads."""

    def __init__(self, status: int, message: str, code: str | None = None, **headers: str):
        super().__init__(message)
        self.response = reply({"error": message}, status)
        self.response.headers["X-Error-Message"] = message
        if code:
            self.response.headers["X-Error-Code"] = code
        self.response.headers.update({k.replace("_", "-"): v for k, v in headers.items()})


def reply(value, status: int = 200) -> Response:
    return Response(status, json.dumps(value).encode(), {"Content-Type": "application/json"})
