"""A client of the daemon that knows no operation by name: paths and arguments are the caller's."""
import atexit
import os
import random
import socket
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Optional, Union
from urllib.parse import quote, urlsplit

from . import errors
from .arguments import FLOAT64, prepare
from .cache import Cache
from .connection import Answer, Connection
from .forms import Form, Json, Safetensors

_FORMS: dict[str, type[Form]] = {"safetensors": Safetensors, "json": Json}
_FREED_AT_ONCE = 64  # their answers, some 10 KB, fit any socket's buffer while a body goes out
_AT_EXIT = 1.0       # seconds that the end of a program waits for the daemon
_FIRST_PAUSE = 0.1   # seconds before a repetition that no Retry-After times; doubled with each
_random = random.SystemRandom()  # it has no state: no seed of the caller's is used up by it


class Client:
    """Calls the operations of the daemon at `url` (else LAYERD_URL, else http://127.0.0.1:8080).

    form     "safetensors", tensors as bytes; or "json", to be read by eye
    timeout  seconds that the daemon may be silent before a call raises TimedOut; None: for ever
    retries  how often a call is repeated that the daemon refuses for now (503, 429)

    Any number of threads may use one client: a call has a connection to itself, which is kept for
    later ones. A process that forks keeps its connections and caches to itself.

    A cache that nothing refers to any more is freed by the next call: the request for it goes out
    ahead of the call's own, on the same connection, and no time is spent waiting for its answer.
    `close` frees every cache that the client was given, and so does the end of the program. A
    cache that is missed by both expires.

    A kept connection may turn out to be closed without a byte of an answer. The call is then made
    once more on a new connection, and nobody is the worse if the first was computed too: it can
    only have left a cache that expires. Not repeated are calls with ?cache=release, which could
    not find their cache again, and calls that were answered in part or not in time.

    A call that is refused because the daemon is busy or full (503, 429) has computed nothing. It is
    repeated after the time that the answer's Retry-After asks for and up to as much again, so that
    those who were refused together do not come back together, as long as this ends within
    `timeout`; then, or after `retries` times, Unavailable is raised.
    """

    def __init__(self, url: Optional[str] = None, *, form: str = "safetensors",
                 timeout: Optional[float] = 60.0, retries: int = 8):
        self.url = url or os.environ.get("LAYERD_URL") or "http://127.0.0.1:8080"
        self.timeout = timeout
        self.retries = retries
        parts = urlsplit(self.url)
        if parts.scheme != "http" or not parts.hostname or parts.query:
            raise ValueError(f"the url is {self.url}, but must be like http://127.0.0.1:8080")
        if form not in _FORMS:
            raise ValueError(f"form is {form!r}, but must be one of {', '.join(_FORMS)}")
        self._form = _FORMS[form]
        self._address = parts.hostname, parts.port or 80
        self._prefix = parts.path.rstrip("/")
        self._host = f"Host: {parts.netloc.rpartition('@')[2]}\r\n"
        self._start()
        _clients.add(self)

    def call(self, path: str, /, **arguments: Any) -> dict[str, Any]:
        """Runs the operation at a path ("affine/forward", "affine/backward?cache=release").

        Arguments go by the operation's own names. Arrays and lists of floats are tensors, all sent
        in their common dtype, or in that of the Cache among the arguments; those of integers are
        labels. A dictionary (bn_param) may hold arrays, numbers and strings.

        Returns the answer by its names: arrays of the caller's own, numbers, dictionaries, and as
        `cache` a Cache. Raises layerd.Error: InvalidRequest where arguments do not fit.
        """
        values, dtype = prepare(arguments)
        form = self._form
        path, _, query = path.lstrip("/").partition("?")
        target = f"/{path}?{'&'.join(filter(None, (query, form.query)))}".rstrip("?")
        head = (f"{self._request('POST', target)}Content-Type: {form.content_type}\r\n"
                f"Accept: {form.content_type}\r\n")
        results = self._exchange(head, form.encode(values, dtype),
                                 lambda answer: form.decode(answer, dtype),
                                 repeatable="cache=release" not in query)
        for name, value in results.items():
            if name == "cache":
                self._live.add(value)
                dtypes = {name: array.dtype for name, array in arguments.items()
                          if hasattr(array, "dtype")}
                results[name] = Cache(value, dtype, dtypes, self._forget)
            elif isinstance(value, float):
                results[name] = dtype.type(value)  # NumPy's scalar, as its own sums are
        return results

    def release(self, cache: Union[Cache, str]) -> None:
        """Frees a cache now. One that is there no more is fine, so this is safe to repeat."""
        self._live.discard(_handle(cache))
        try:
            self._exchange(self._request("DELETE", f"/cache/{_handle(cache)}"))
        except errors.Error as error:
            if error.status != 404:
                raise

    def cache_info(self, cache: Union[Cache, str]) -> dict[str, Any]:
        """What the daemon tells of a cache: layer, dtype, bytes, created, expires."""
        return self._get(f"/cache/{_handle(cache)}")

    def version(self) -> dict[str, Any]:
        """What the daemon tells of itself: name, version, commit, and more."""
        return self._get("/version")

    def close(self) -> None:
        """Frees every cache that the client was given and closes its connections. It stays usable:
        a later call opens a new one."""
        for handle in list(self._live):
            self._forget(handle)
        with suppress(errors.Error, IndexError):
            while self._pending:
                self.release(self._pending.popleft())
        self._pending.clear()  # where the daemon cannot be reached, they expire
        self._drop_idle()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def _start(self) -> None:
        # Changed only by what the interpreter does in one step, so without a lock: _forget, which
        # runs wherever the collector happens to, could not wait for one.
        self._idle: list[Connection] = []
        self._live: set[str] = set()         # handles that a Cache here stands for
        self._pending: deque[str] = deque()  # handles to be freed

    def _forget(self, handle: str) -> None:
        if handle in self._live:
            self._live.discard(handle)
            self._pending.append(handle)

    def _due(self) -> list[str]:
        """Takes handles that are to be freed."""
        handles: list[str] = []
        with suppress(IndexError):  # another thread took the last one
            while self._pending and len(handles) < _FREED_AT_ONCE:
                handles.append(self._pending.popleft())
        return handles

    def _request(self, method: str, target: str) -> str:
        return f"{method} {self._prefix}{quote(target, safe='/?&=')} HTTP/1.1\r\n{self._host}"

    def _get(self, target: str) -> dict[str, Any]:
        return self._exchange(self._request("GET", target),
                              decode=lambda answer: Json.decode(answer, FLOAT64))

    def _exchange(self, head: str, body: Sequence[bytes] = (),
                  decode: Callable[[Answer], Any] = Answer.skip,
                  repeatable: bool = True) -> Any:
        """Sends a request and decodes its answer; again where it is refused for now."""
        end = None if self.timeout is None else time.monotonic() + self.timeout
        pause = _FIRST_PAUSE
        for left in range(self.retries, -1, -1):
            try:
                return self._try(head, body, decode, repeatable)
            except errors.Unavailable as error:
                asked = pause if error.retry_after is None else error.retry_after
                wait = asked * (1 + _random.random())
                if not left or (end is not None and time.monotonic() + wait > end):
                    raise
            time.sleep(wait)
            pause *= 2

    def _try(self, head: str, body: Sequence[bytes], decode: Callable[[Answer], Any],
             repeatable: bool) -> Any:
        """One exchange; once more on a new connection where that is safe and helps."""
        kept = self._kept()
        while True:
            try:
                return self._on(kept or self._open(), head, body, decode)
            except EOFError as error:
                self._drop_idle()  # what ended this one has most likely ended all
                if not (kept and repeatable):
                    raise errors.ConnectionFailed(f"{self.url}: {error}") from error
                kept = None

    def _on(self, connection: Connection, head: str, body: Sequence[bytes],
            decode: Callable[[Answer], Any]) -> Any:
        """The exchange on one connection, after those that free what is pending. Anything that
        comes between, an interrupt too, ends the connection. EOFError: it ended before the answer.
        """
        freed = self._due()
        try:
            requests = [self._request("DELETE", f"/cache/{handle}") for handle in freed]
            length = f"Content-Length: {sum(map(len, body))}\r\n\r\n" if body else "\r\n"
            connection.send(["\r\n".join([*requests, head + length]).encode("latin-1"), *body])
            answer = connection.receive()
            for _ in freed:
                if answer.status in (429, 503) and not connection.reusable:
                    self._pending.extend(freed)
                    break  # not this request is refused, but the connection
                answer.skip()
                answer = connection.receive()
            failure = errors.from_answer(answer) if answer.status >= 400 else None
            result = None if failure else decode(answer)
        except BaseException as error:
            connection.close()
            self._pending.extend(freed)
            if isinstance(error, socket.timeout):
                raise errors.TimedOut(f"{self.url} did not answer in {self.timeout} s") from error
            if isinstance(error, OSError):
                raise errors.ConnectionFailed(f"{self.url}: {error}") from error
            if isinstance(error, (ValueError, LookupError, TypeError)):
                raise errors.Error(
                    f"{self.url} gave an answer that cannot be read: {error}") from error
            raise
        self._keep(connection)
        if failure:
            raise failure
        return result

    def _open(self) -> Connection:
        try:
            return Connection(*self._address, self.timeout)
        except socket.timeout as error:
            raise errors.TimedOut(f"{self.url} did not answer in {self.timeout} s") from error
        except OSError as error:
            raise errors.ConnectionFailed(
                f"no layerd at {self.url} ({error}): start one there, or set LAYERD_URL"
            ) from error

    def _kept(self) -> Optional[Connection]:
        """A kept connection that is still good, or None."""
        with suppress(IndexError):
            while True:
                connection = self._idle.pop()
                if connection.is_quiet(self.timeout):
                    return connection
                connection.close()
        return None

    def _keep(self, connection: Connection) -> None:
        if connection.reusable:
            self._idle.append(connection)
        else:
            connection.close()

    def _drop_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()


def _handle(cache: Union[Cache, str]) -> str:
    return cache.handle if isinstance(cache, Cache) else cache


_clients: "weakref.WeakSet[Client]" = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for client in list(_clients):
        client.timeout = _AT_EXIT
        client.close()


def _forget_all() -> None:
    """In the child of a fork: what the parent has is the parent's to use and to free."""
    for client in list(_clients):
        client._drop_idle()
        client._start()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
