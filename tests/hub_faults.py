"""What goes wrong on purpose: rules that the local Hub applies to requests that match them."""

import re
from dataclasses import dataclass, field


@dataclass
class Fault:
    """One rule.

    Args:
        path: regular expression searched in "METHOD /path".
        kind: "status" (answer with `status`), "cut" (full length announced, connection closed after `after` bytes of
            the body), "short" (a shorter body, announced as such), "corrupt" (one byte of the body changed),
            "drop" (connection closed while the request's body is read, after `after` bytes of it).
        status, headers, message: of a "status" answer.
        times: how many requests it hits; None: all.
    """

    path: str
    kind: str = "status"
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "Internal Error - we have been notified"
    after: int = 0
    times: int | None = None
    hits: int = 0

    def matches(self, line: str) -> bool:
        return (self.times is None or self.hits < self.times) and re.search(self.path, line) is not None


class Faults:
    """The rules in force; the first that matches is applied."""

    def __init__(self, lock):
        self._lock, self._rules = lock, []

    def add(self, path: str, **settings) -> Fault:
        fault = Fault(path, **settings)
        with self._lock:
            self._rules.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def take(self, line: str) -> Fault | None:
        with self._lock:
            for rule in self._rules:
                if rule.matches(line):
                    rule.hits += 1
                    return rule
        return None
