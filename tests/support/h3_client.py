# SPDX-License-Identifier: MIT
"""HTTP/3 by libcurl: a build of it that speaks HTTP/3 lies in build/unpacked beside the machine's own."""
import ctypes
import glob
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_FOUND = sorted(glob.glob(str(_ROOT / "build/unpacked/libcurl3-gnutls/usr/lib/*/libcurl-gnutls.so.4")))

# curl/curl.h; the tens of thousands are the argument's type.
_URL, _RESOLVE, _HTTPHEADER, _CUSTOMREQUEST, _REQUEST_TARGET, _CAINFO, _ERRORBUFFER = 10002, 10203, 10023, 10036, 10266, 10065, 10010
_WRITEFUNCTION, _READFUNCTION, _HEADERFUNCTION = 20011, 20012, 20079
_HTTP_VERSION, _NOBODY, _UPLOAD, _TIMEOUT_MS, _NOSIGNAL, _VERIFYPEER, _VERIFYHOST, _PATH_AS_IS = 84, 44, 46, 155, 99, 64, 81, 234
_INFILESIZE_LARGE, _MAX_RECV_SPEED_LARGE = 30115, 30146
_HTTP_3_ONLY = 31
_RESPONSE_CODE, _USED_VERSION, _NUM_CONNECTS = 0x200002, 0x20002E, 0x20001A
_READ_ABORT = 0x10000000
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.POINTER(ctypes.c_char), ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p)


def _load():
    if not _FOUND:
        raise RuntimeError("there is no libcurl in build/unpacked: run ./dev setup")
    library = ctypes.CDLL(_FOUND[0])
    library.curl_easy_init.restype = ctypes.c_void_p
    library.curl_easy_strerror.restype = ctypes.c_char_p
    library.curl_slist_append.restype = ctypes.c_void_p
    for name in ("curl_easy_cleanup", "curl_easy_reset", "curl_easy_perform", "curl_slist_free_all"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    library.curl_slist_append.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    library.curl_easy_setopt.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.curl_easy_getinfo.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
    return library


class BrokenTransfer(Exception):
    """A transfer that libcurl calls broken: `code` is its number for it, `status`, `fields`, `body` what had come."""

    def __init__(self, code, message):
        super().__init__(f"libcurl {code}: {message}")
        self.code = code
        self.status, self.fields, self.body = 0, [], b""


class H3Client:
    """A connection that is kept alive, made by the first request. Threads: one at a time."""

    _library = None

    def __init__(self, address, sni=None, ca=None, deadline=60):
        if H3Client._library is None:
            H3Client._library = _load()
        self._curl = self._library.curl_easy_init()
        self._host, _, self._port = address.rpartition(":")
        self._sni, self._ca, self._deadline = sni, ca, deadline
        self.connects = 0  # connections that were made

    def _set(self, option, value):
        kind = option // 10000
        if kind == 1 and not isinstance(value, ctypes.c_void_p):
            value = ctypes.c_char_p(value if isinstance(value, bytes) else str(value).encode("latin-1"))
        elif kind in (0, 3):
            value = ctypes.c_long(value)
        code = self._library.curl_easy_setopt(self._curl, option, value)
        assert code == 0, f"curl_easy_setopt({option}): {self._library.curl_easy_strerror(code)}"

    def _list(self, lines):
        items = None
        for line in lines:
            items = self._library.curl_slist_append(items, line.encode("latin-1"))
        return ctypes.c_void_p(items)

    def perform(self, method, target, fields=(), body=None, length=None, take=None, rate=0):
        """(status, fields of the final response, body, interim responses as (status, fields)).

        A field whose value is None is one of libcurl's own that is not to be sent.
        `body`: octets, or a function that is given a number and returns at most as many octets, none at the end; `length` is theirs,
        where it is known. `take(octets)`: is given the body instead of it being kept; False ends the transfer."""
        self._library.curl_easy_reset(self._curl)
        heads, received, problem = [], bytearray(), []
        error = ctypes.create_string_buffer(256)

        @_CALLBACK
        def on_head(octets, size, count, _):
            line = ctypes.string_at(octets, size * count).decode("latin-1").rstrip("\r\n")
            if line.startswith("HTTP/"):
                heads.append((int(line.split()[1]), []))
            elif ":" in line:
                name, _, value = line.partition(":")
                heads[-1][1].append((name.lower(), value.strip()))
            return size * count

        @_CALLBACK
        def on_octets(octets, size, count, _):
            piece = ctypes.string_at(octets, size * count)
            if take is None:
                received.extend(piece)
            elif take(piece) is False:
                return 0
            return size * count

        @_CALLBACK
        def on_room(room, size, count, _):
            try:
                piece = source(size * count)
            except Exception as failure:  # of the caller's: told after the transfer, C cannot pass it on
                problem.append(failure)
                return _READ_ABORT
            ctypes.memmove(room, piece, len(piece))
            return len(piece)

        lists = []
        self._set(_ERRORBUFFER, ctypes.cast(error, ctypes.c_void_p))
        self._set(_HTTP_VERSION, _HTTP_3_ONLY)
        self._set(_URL, f"https://{self._sni or self._host}:{self._port}/")
        if self._sni:
            lists.append(self._list([f"{self._sni}:{self._port}:{self._host.strip('[]')}"]))
            self._set(_RESOLVE, lists[-1])
        self._set(_REQUEST_TARGET, target)
        self._set(_PATH_AS_IS, 1)
        self._set(_NOSIGNAL, 1)
        self._set(_TIMEOUT_MS, int(self._deadline * 1000))
        self._set(_VERIFYPEER, 1 if self._ca else 0)
        self._set(_VERIFYHOST, 2 if self._ca else 0)
        if self._ca:
            self._set(_CAINFO, self._ca)
        if rate:
            self._set(_MAX_RECV_SPEED_LARGE, rate)
        if body is not None:
            if isinstance(body, bytes):
                octets, length = memoryview(body), len(body)
                at = [0]

                def source(most):
                    piece = bytes(octets[at[0]:at[0] + most])
                    at[0] += len(piece)
                    return piece
            else:
                source = body
            self._set(_UPLOAD, 1)
            self._library.curl_easy_setopt(self._curl, _READFUNCTION, on_room)
            if length is not None:
                self._set(_INFILESIZE_LARGE, length)
        elif method == "HEAD":
            self._set(_NOBODY, 1)
        self._set(_CUSTOMREQUEST, method)
        lists.append(self._list([f"{name}:" if value is None else f"{name}: {value}" if value else f"{name};" for name, value in fields] + ["Expect:"]))
        self._set(_HTTPHEADER, lists[-1])
        self._library.curl_easy_setopt(self._curl, _HEADERFUNCTION, on_head)
        self._library.curl_easy_setopt(self._curl, _WRITEFUNCTION, on_octets)
        code = self._library.curl_easy_perform(self._curl)
        for items in lists:
            self._library.curl_slist_free_all(items)
        self.connects += self._info(_NUM_CONNECTS)
        if problem:
            raise problem[0]
        if code != 0:
            failure = BrokenTransfer(code, error.value.decode() or self._library.curl_easy_strerror(code).decode())
            if heads:
                failure.status, failure.fields = heads[-1]
            failure.body = bytes(received)
            raise failure
        assert self._info(_USED_VERSION) == 30, "this was not HTTP/3"
        status, final = heads[-1]
        return status, final, bytes(received), heads[:-1]

    def _info(self, number):
        value = ctypes.c_long(0)
        self._library.curl_easy_getinfo(self._curl, number, ctypes.byref(value))
        return value.value

    def close(self):
        if self._curl:
            self._library.curl_easy_cleanup(self._curl)
            self._curl = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
