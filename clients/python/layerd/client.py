"""A client of the daemon that knows no operation by name: paths and arguments are the caller's."""
import atexit
import os
import random
import socket
import sys
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union

import numpy as np

from . import checks, errors, graphs
from .address import Address
from .arguments import FLOAT64, prepare
from .cache import Cache, Watch
from .connection import Answer, Connection, Ended
from .forms import Form, Json, Safetensors
from .origins import is_ours
from .tensor import Tensor

if TYPE_CHECKING:
    import ssl

_Item = TypeVar("_Item")
_Kept = Union[Cache, Tensor]

_FORMS: dict[str, type[Form]] = {"safetensors": Safetensors, "json": Json}
_FREED_AT_ONCE = 64  # their answers, some 10 KB, fit any socket's buffer while a body goes out
_AT_EXIT = 1.0       # seconds that the end of a program waits for the daemon
_FIRST_PAUSE = 0.1   # seconds before a repetition that no Retry-After times; doubled with each
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_random = random.SystemRandom()  # it has no state: no seed of the caller's is used up by it


class Client:
    """Calls the operations of the daemon at `url` (else LAYERD_URL, else http://127.0.0.1:8080).

    form     "safetensors", tensors as bytes; or "json", to be read by eye
    timeout  seconds that the daemon may be silent before a call raises TimedOut; None: for ever
    retries  how often a call is repeated that the daemon refuses for now (503, 429)

    token    sent with every request as `Authorization: Bearer`, unless `headers` has an
             Authorization; None: the environment's LAYERD_TOKEN, if any
    headers  sent with every request besides the client's own
    context  how an https:// daemon's certificate is checked; None: as ssl.create_default_context

    Any number of threads may use one client: a call has a connection to itself, which is kept for
    later ones. The child of a fork starts without connections and caches: the parent's are not its
    to use or to free.

    A cache or kept tensor that nothing refers to any more is freed by the next call: the request
    for it goes out ahead of the call's own, on the same connection, and no time is spent waiting
    for its answer. `close` frees all that the client was given, and so does the end of the process,
    of a forked child too, unless it is by os._exit or a signal. What is missed by all expires.

    An exception that a signal handler raises during a call ends the call as it is. So does Ctrl-C.

    A kept connection may turn out to be closed without a byte of an answer. The call is then made
    once more on a new connection, and nobody is the worse if the first was computed too: it can
    only have left what expires. Not repeated are calls with ?cache=release and graphs that release,
    which could not find their handles again, and calls that were answered in part or not in time.

    A call that is refused because the daemon is busy or full, or asked too often (503, 429), has
    computed nothing. It is
    repeated after the time that the answer's Retry-After asks for and up to as much again, so that
    those who were refused together do not come back together, as long as this ends within
    `timeout`; then, or after `retries` times, Unavailable is raised.
    """

    def __init__(self, url: Optional[str] = None, *, form: str = "safetensors",
                 timeout: Optional[float] = 60.0, retries: int = 8, token: Optional[str] = None,
                 headers: Optional[Mapping[str, str]] = None,
                 context: "Optional[ssl.SSLContext]" = None):
        self.url = url or os.environ.get("LAYERD_URL") or "http://127.0.0.1:8080"
        self.timeout = timeout
        self.retries = retries
        if form not in _FORMS:
            raise ValueError(f"form is {form!r}, but must be one of {', '.join(_FORMS)}")
        self._form = _FORMS[form]
        self._address = Address(self.url, _with_token(headers or {}, token))
        self._context = context if self._address.secure else None
        if self._address.secure and not context:
            import ssl  # which takes as long as the rest of the package
            self._context = ssl.create_default_context()
        self._start()
        _clients.add(weakref.ref(self, _clients.discard))

    def call(self, path: str, /, **arguments: Any) -> dict[str, Any]:
        """Runs the operation at a path ("affine/forward", "affine/backward?cache=release").

        Arguments go by the operation's own names. Arrays and lists of floats are tensors, all sent
        in their common dtype, or in that of the Cache or Tensor among the arguments; those of
        integers are labels. A dictionary (bn_param) may hold arrays, numbers and strings; arrays in
        it are numbers, those of bool and uint8 masks. A Tensor may stand for any array.

        Returns the answer by its names: arrays of the caller's own, numbers, dictionaries, and as
        `cache` a Cache. Raises layerd.Error: InvalidRequest where arguments do not fit.
        """
        values, dtype = prepare(arguments)
        form = self._form
        path, _, query = path.lstrip("/").partition("?")
        results = self._exchange(self._post(path, query), form.encode(values, dtype),
                                 lambda answer: form.decode(answer, dtype),
                                 repeatable="cache=release" not in query)
        for name, value in results.items():
            if name == "cache":
                dtypes = {name: array.dtype for name, array in arguments.items()
                          if hasattr(array, "dtype")}
                results[name] = self._watched(Cache(value, dtype, dtypes, self))
            elif isinstance(value, float):
                results[name] = dtype.type(value)  # NumPy's scalar, as its own sums are
        return results

    def graph(self, nodes: Iterable[Mapping[str, Any]], inputs: Mapping[str, Any] = _NOTHING, *,
              give: Iterable[str] = (), keep: Iterable[str] = (),
              release: Iterable[Union[_Kept, str]] = (), dtype: Any = None
              ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Runs several operations in one call, which is done as a whole or not at all.

            results, kept = client.graph(
                [{"name": "a", "op": "affine/forward", "x": "x", "w": "w", "b": "b"},
                 {"name": "l", "op": "softmax/loss", "x": "a.out", "y": "y"},
                 {"name": "d", "op": "gradients", "of": ["l.loss"], "for": ["w"]},
                 {"name": "u", "op": "sgd/update", "w": "w", "dw": "d.w"}],
                {"x": x, "y": [0, 1], "w": w, "b": b}, give=["l.loss"], keep=["u.next_w"])

        nodes    in order; each has its name, its op, and as the operation has them parameters and,
                 by names of inputs and of results ("a.out"), tensors and caches ("a.cache"). With
                 the op "gradients", `of` names losses and `for` the values whose gradients are
                 wanted: "d.w" is that of w
        inputs   by name: arrays, and what is kept, as a Tensor or a Cache. Arrays of integers are
                 labels; all others, of bool, too, as masks are, are sent in one dtype of floats
        give     names of results and inputs that are returned
        keep     names of those that stay with the daemon
        release  what is given up at the end, where all went well: a Tensor, a Cache, a handle
        dtype    float64 or float32; else that of what is kept, else the common one of all floats

        Returns what was given, by its full name ("l.loss"): arrays of the caller's own, numbers,
        and strings of parameters; and what was kept, by its full name too: a Tensor, of "a.cache" a
        Cache. Raises layerd.Error, whose pointer ("/nodes/3/w") is into these arguments.
        """
        nodes, give, keep = list(nodes), list(give), [*dict.fromkeys(keep)]
        arrays, held, dtype = graphs.prepare(inputs, dtype)
        handles = [_handle(value) for value in release]
        lists = {"inputs": held, "give": give, "keep": keep, "release": handles}
        document = {"nodes": nodes, **{name: told for name, told in lists.items() if told}}
        form = self._form
        results, kept = self._exchange(
            self._post("graph"), form.encode_graph(document, arrays, dtype),
            lambda answer: form.decode_graph(answer, dtype, keep), repeatable=not handles)
        for handle in handles:
            self._live.pop(handle, None)
        sent = {**inputs, **arrays}
        return ({name: _scalar(name, results[name], dtype) for name in give},
                {name: self._watched(graphs.stand_in(name, kept[name], nodes, sent, dtype, self))
                 for name in keep})

    def check(self, path: str, /, *, claim: Mapping[str, Any], precision: Any = None,
              tolerance: Optional[Mapping[str, float]] = None, detail: str = "words",
              **arguments: Any) -> checks.Verdict:
        """Tells whether outputs of the operation at a path are right, not what is right.

            verdict = client.check("affine/forward", x=x, w=w, b=b, claim={"out": out})
            assert verdict, verdict  # out is wrong: out is x · w: b was not added

        arguments  as for `call`; of a backward those of its forward and dout, and no cache
        claim      one or more of the outputs, by their names, of whatever shape
        precision  float32, where numbers of float64 were computed in it
        tolerance  {"rtol", "atol"}: may loosen what is right, which is else what arithmetic in the
                   dtype of the arguments can give
        detail     "words"; "verdict" tells no fault; "values" shows the worst element, too, which
                   asks for a token's scope compute
        """
        values, dtype = prepare(arguments)
        told = {"claim": checks.claimed(claim), **checks.terms(precision, tolerance)}
        return self._judged(f"check/{path.lstrip('/')}", detail,
                            Json.encode({**values, **told}, dtype))

    def challenge(self, operation: str, *, case: str = "plain", dtype: Any = np.float64,
                  assignment: str = "", submission: Optional[Union[str, bytes]] = None
                  ) -> checks.Challenge:
        """Has the daemon draw inputs of an operation, whose outputs are then to be claimed.

            challenge = client.challenge("affine/forward")
            out, _ = affine_forward(**challenge.inputs)
            verdict = client.answer(challenge, {"out": out})

        case        "plain", or another one that `challenges` tells
        assignment  what it is a part of: another one has other inputs
        submission  what is submitted, or its SHA-256 in hex: it has the same inputs for ever, and
                    may be answered again. Without, they are new, and take one answer
        """
        asked = checks.asked(operation, case, dtype, assignment, submission)
        dtype = np.dtype(dtype)
        return self._exchange(
            self._head("challenge", "tensors=flat", Json), Json.body(asked),
            lambda answer: checks.Challenge(**Json.decode(answer, dtype)))

    def challenges(self) -> dict[str, list[str]]:
        """The cases that there are, by operation."""
        return self._get("/challenge")["operations"]

    def answer(self, challenge: Union[checks.Challenge, str], claim: Mapping[str, Any], *,
               detail: str = "words") -> checks.Verdict:
        """Claims all outputs that a challenge asks for, by their names; bn_param.running_mean
        stands in a dictionary bn_param."""
        text = challenge if isinstance(challenge, str) else challenge.challenge
        return self._judged("challenge/answer", detail,
                            Json.body({"challenge": text, "claim": checks.claimed(claim)}))

    def put(self, array: Any, dtype: Any = None) -> Tensor:
        """Keeps an array with the daemon; integers, unless a dtype of floats is given, as labels.
        """
        array = np.asarray(array, dtype)
        return self.graph([], {"value": array}, keep=["value"])[1]["value"]

    def fetch(self, tensor: Tensor) -> np.ndarray:
        """The numbers of a kept tensor."""
        return self.graph([], {"value": tensor}, give=["value"])[0]["value"]

    def release(self, kept: Union[_Kept, str]) -> None:
        """Frees a cache or a kept tensor now. One that is there no more is fine, so this is safe to
        repeat."""
        self._live.pop(_handle(kept), None)
        try:
            self._exchange(self._address.request("DELETE", f"/cache/{_handle(kept)}"))
        except errors.Error as error:
            if error.status != 404:
                raise

    def cache_info(self, kept: Union[_Kept, str]) -> dict[str, Any]:
        """What the daemon tells of a cache: layer, dtype, bytes, created, expires. Of a kept tensor
        the layer is None, and its shape is told."""
        return self._get(f"/cache/{_handle(kept)}")

    def version(self) -> dict[str, Any]:
        """What the daemon tells of itself: name, version, commit, and more."""
        return self._get("/version")

    def close(self) -> None:
        """Frees every cache and tensor that the client was given and closes its connections. It
        stays usable: a later call opens a new one."""
        self._pending.extend([*self._live])
        self._live.clear()
        self._gone.clear()
        try:
            while (handle := _taken(self._pending)) is not None:
                self.release(handle)
        except errors.Error as error:
            if not is_ours(error):
                raise
            self._pending.clear()  # the daemon cannot be reached: they expire
        self._drop_idle()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def _start(self) -> None:
        # Changed only by what the interpreter does in one step, so without a lock.
        self._idle: deque[Connection] = deque()
        self._busy: set[Connection] = set()
        self._live: dict[str, Watch] = {}    # by handle: of each Cache and Tensor that is there
        self._gone: deque[Any] = deque()     # of those that are not there any more
        self._pending: deque[str] = deque()  # handles to be freed

    def _watched(self, kept: Any) -> Any:
        watch = Watch(kept, self._gone.append)
        watch.handle = kept.handle
        self._live[kept.handle] = watch
        _close_before_multiprocessing_ends()
        return kept

    def _post(self, path: str, query: str = "") -> str:
        """The head of a request that computes, and of its answer, in the client's form."""
        form = self._form
        return self._head(path, "&".join(filter(None, (query, form.query))), form)

    def _head(self, path: str, query: str, form: type[Form]) -> str:
        target = f"/{path}?{query}".rstrip("?")
        return (f"{self._address.request('POST', target)}Content-Type: {form.content_type}\r\n"
                f"Accept: {form.content_type}\r\n")

    def _judged(self, path: str, detail: str, body: Sequence[bytes]) -> checks.Verdict:
        """What is found of claims: in JSON, which says a claim of any shape."""
        return self._exchange(self._head(path, f"detail={detail}", Json), body,
                              checks.Verdict.decode)

    def _take_due(self, handles: list[str]) -> None:
        """Takes handles that are to be freed."""
        while (watch := _taken(self._gone)) is not None:
            if self._live.pop(watch.handle, None) is not None:
                self._pending.append(watch.handle)
        while len(handles) < _FREED_AT_ONCE and (handle := _taken(self._pending)) is not None:
            handles.append(handle)

    def _get(self, target: str) -> dict[str, Any]:
        return self._exchange(self._address.request("GET", target),
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
                if not left or not is_ours(error):
                    raise
                asked = pause if error.retry_after is None else error.retry_after
                wait = asked * (1 + _random.random())
                if end is not None and time.monotonic() + wait > end:
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
            except Ended as error:
                self._drop_idle()  # what ended this one has most likely ended all
                if not (kept and repeatable):
                    raise errors.ConnectionFailed(f"{self.url}: {error}") from error
                kept = None

    def _on(self, connection: Connection, head: str, body: Sequence[bytes],
            decode: Callable[[Answer], Any]) -> Any:
        """The exchange on one connection, after those that free what is pending. Anything that
        comes between, an interrupt too, ends the connection. Ended: it ended before the answer.
        """
        freed: list[str] = []
        try:
            self._busy.add(connection)
            self._take_due(freed)
            requests = [self._address.request("DELETE", f"/cache/{handle}") for handle in freed]
            length = f"Content-Length: {sum(map(len, body))}\r\n\r\n" if body else "\r\n"
            connection.send(["\r\n".join([*requests, head + length]).encode("latin-1"), *body])
            answer = connection.receive()
            for handle in freed:
                if answer.status in (429, 503) and not connection.reusable:
                    self._pending.extend(freed)
                    break  # not this request is refused, but the connection
                if answer.status == 429:
                    self._pending.append(handle)  # for a later call
                answer.skip()
                answer = connection.receive()
            failure = errors.from_answer(answer) if answer.status >= 400 else None
            result = None if failure else decode(answer)
            if connection.reusable:
                self._idle.append(connection)
            else:
                connection.close()
        except BaseException as error:
            connection.close()
            self._pending.extend(freed)
            told = self._told(error) if is_ours(error) else None
            if told:
                raise told from error
            raise
        finally:
            self._busy.discard(connection)
        if failure:
            raise failure
        return result

    def _told(self, error: BaseException) -> Optional[errors.Error]:
        """What a caller is told of an exception in an exchange; None: that one itself."""
        if isinstance(error, socket.timeout):
            return errors.TimedOut(f"{self.url} did not answer in {self.timeout} s")
        if isinstance(error, OSError):
            return errors.ConnectionFailed(f"{self.url}: {error}")
        if isinstance(error, (ValueError, LookupError, TypeError)):
            return errors.Error(f"{self.url} gave an answer that cannot be read: {error}")
        return None

    def _open(self) -> Connection:
        try:
            return Connection(self._address, self.timeout, self._context)
        except OSError as error:
            if not is_ours(error):
                raise
            if isinstance(error, socket.timeout):
                raise errors.TimedOut(f"{self.url} did not answer in {self.timeout} s") from error
            raise errors.ConnectionFailed(
                f"no layerd at {self.url} ({error}): start one there, or set LAYERD_URL"
            ) from error

    def _kept(self) -> Optional[Connection]:
        """A kept connection that is still good, or None."""
        while (connection := _taken(self._idle)) is not None:
            if connection.is_quiet(self.timeout):
                return connection
            connection.close()
        return None

    def _drop_idle(self) -> None:
        while (connection := _taken(self._idle)) is not None:
            connection.close()


def _taken(items: "deque[_Item]") -> Optional[_Item]:
    """The last item, which is no longer among them; None where there is none."""
    while items:
        try:
            return items.pop()
        except IndexError as error:  # another thread took it
            if not is_ours(error):
                raise
    return None


def _scalar(name: str, value: Any, dtype: np.dtype) -> Any:
    """A result of a graph; a number that is no parameter as NumPy's scalar, as its own sums are."""
    return dtype.type(value) if isinstance(value, float) and name.count(".") < 2 else value


def _with_token(headers: Mapping[str, str], token: Optional[str]) -> Mapping[str, str]:
    token = os.environ.get("LAYERD_TOKEN") if token is None else token
    if not token or "authorization" in [name.lower() for name in headers]:
        return headers
    return {"Authorization": f"Bearer {token}", **headers}


def _handle(kept: Union[_Kept, str]) -> str:
    return kept if isinstance(kept, str) else kept.handle


_clients: "set[weakref.ref[Client]]" = set()
_closed_by_multiprocessing = False


@atexit.register
def _close_all() -> None:
    for reference in list(_clients):
        client = reference()
        if client is not None:
            client.timeout = _AT_EXIT
            client.close()


def _close_before_multiprocessing_ends() -> None:
    """Its children, and those of concurrent.futures, end without atexit, but run what is registered
    so. They forget what their parent had registered."""
    global _closed_by_multiprocessing
    util = sys.modules.get("multiprocessing.util")
    if util is not None and not _closed_by_multiprocessing:
        _closed_by_multiprocessing = True
        util.Finalize(None, _close_all, exitpriority=0)


def _forget_all() -> None:
    """In the child of a fork: what the parent has is the parent's to use and to free."""
    global _closed_by_multiprocessing
    _closed_by_multiprocessing = False
    for reference in list(_clients):
        client = reference()
        if client is not None:
            client._drop_idle()
            for connection in client._busy:
                connection.close()  # a handler that forked goes back to a call, which ends here
            client._start()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
