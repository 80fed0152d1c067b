# SPDX-License-Identifier: MIT
"""What a test origin was asked, and what it is to answer, faults included."""

import dataclasses
import threading
import urllib.parse

PATTERN = b"0123456789abcdef" * 4096

@dataclasses.dataclass
class Request:
    """A request as it arrived. `headers` keeps order, case and repetition."""
    method: str
    target: str
    version: str
    headers: list
    body: bytes = b""
    connection: int = 0       # number of the connection it came on, from 0
    trailers: list = dataclasses.field(default_factory=list)

    @property
    def path(self):
        return self.target.split("?", 1)[0]

    @property
    def query(self):
        return dict(urllib.parse.parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    def values(self, name):
        """All values of a field, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name, default=None):
        """The only value of a field. More than one line is an error: a test that expects several uses `values`."""
        found = self.values(name)
        if len(found) > 1:
            raise ValueError(f"{name} came {len(found)} times: {found}")
        return found[0] if found else default


class Progress:
    """How much of a body the origin could hand to the kernel, and whether it is held up right now."""

    def __init__(self):
        self._changed = threading.Condition()
        self._pushed = 0
        self._blocked = False
        self._ended = False

    @property
    def pushed(self):
        with self._changed:
            return self._pushed

    @property
    def ended(self):
        with self._changed:
            return self._ended

    def _note(self, pushed=0, blocked=None, ended=None):
        with self._changed:
            self._pushed += pushed
            self._blocked = self._blocked if blocked is None else blocked
            self._ended = self._ended if ended is None else ended
            self._changed.notify_all()

    def wait_blocked(self, timeout=30):
        """Waits until the client has stopped taking octets (the socket stayed full for half a second). True if so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._blocked, timeout)

    def wait_ended(self, timeout=30):
        """Waits until the whole body was pushed or the client went away."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ended, timeout)


@dataclasses.dataclass
class Reply:
    """What to answer, and how badly. Without faults: a well-framed response on a kept-alive connection."""
    status: int = 200
    body: bytes = b""
    headers: object = ()           # dict, or pairs when names repeat
    reason: str = None
    framing: str = "length"        # "length", "chunked", "close" (ends with the connection), "none" (no framing fields, no body)
    etag: str = None               # with the quotes; "auto": from the body. If-None-Match is answered with 304
    last_modified: str = None      # If-Modified-Since equal to it is answered with 304
    interim: list = dataclasses.field(default_factory=list)  # [(103, {"Link": …}), …] before the head
    size: int = None               # stream that many octets of PATTERN instead of `body`
    # --- when ---
    wait: threading.Event = None        # before the head
    wait_body: threading.Event = None   # after the head
    wait_after: tuple = None            # (octets, event): in the middle of the body
    delay: float = 0                    # seconds before the head; prefer an event
    drip: tuple = None                  # (octets, seconds): so much at a time
    trickle: tuple = None               # (octets, event): from there on little, but never nothing, until the event
    early: bool = False                 # answer without reading the request's body (such a request is counted, not recorded)
    on_body: object = None              # called with each piece of the request's body as it comes
    # --- faults ---
    truncate: int = None           # close after that many octets of the body
    reset: int = None              # RST after that many octets of the body; -1: before the head
    hang: bool = False             # no answer, connection open
    hang_after: int = None         # silence after that many octets of the body
    extra: bytes = b""             # octets after the framed body
    declare: int = None            # another Content-Length than the body has
    raw: bytes = None              # send exactly this, then close
    close: bool = False            # Connection: close
    progress: Progress = dataclasses.field(default_factory=Progress)

    def pairs(self):
        return list(self.headers.items()) if isinstance(self.headers, dict) else list(self.headers)

    def length(self):
        return self.size if self.size is not None else len(self.body)

    def octets(self, start, end):
        if self.size is None:
            return self.body[start:end]
        shift = start % 16
        return PATTERN[shift:shift + end - start]
