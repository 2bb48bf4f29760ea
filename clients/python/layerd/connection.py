"""One keep-alive connection, and as much of HTTP/1.1 as a client of layerd needs.

http.client would do, but reading an answer's headers with it takes longer than the whole of a
small call; and it cannot pipeline, which is how caches are freed (client.py).
"""
import io
import socket
from collections.abc import Iterable, Sequence
from typing import Optional

_TOGETHER = 64 << 10  # up to so many bytes are sent as one, which costs a copy and saves packets
_LINE = 64 << 10


class Answer:
    """The head of an answer, and its body to be read, all of it, before the next request."""

    __slots__ = ("status", "reason", "headers", "length", "_stream")

    def __init__(self, status: int, reason: str, headers: dict[bytes, bytes], length: int,
                 stream: io.BufferedIOBase):
        self.status = status
        self.reason = reason
        self.headers = headers  # names in lower case
        self.length = length    # of the body that is left, in bytes
        self._stream = stream

    def read(self, count: int) -> bytes:
        """The next `count` bytes of the body."""
        data = self._stream.read(self._take(count))
        if len(data) != count:
            raise ConnectionResetError("the connection ended in the middle of an answer")
        return data

    def readinto(self, memory: memoryview) -> None:
        """Fills `memory`, of bytes, with the next bytes of the body."""
        if self._stream.readinto(memory) != self._take(len(memory)):
            raise ConnectionResetError("the connection ended in the middle of an answer")

    def skip(self) -> None:
        """Reads what is left of the body."""
        self.read(self.length)

    def _take(self, count: int) -> int:
        if count > self.length:
            raise ValueError("it is shorter than it says")
        self.length -= count
        return count


class Connection:
    """A connection to `host`:`port`. Used by one thread at a time; useless after any exception."""

    def __init__(self, host: str, port: int, timeout: Optional[float]):
        self._socket = socket.create_connection((host, port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        self.reusable = True  # after an answer: whether another request may follow

    def is_quiet(self, timeout: Optional[float]) -> bool:
        """Whether it is still open, as far as is known here, with nothing to be read. Sets the
        timeout of what follows."""
        self._socket.settimeout(0)
        try:
            self._socket.recv(1, socket.MSG_PEEK)
            return False  # its end, or bytes that nobody asked for
        except BlockingIOError:
            self._socket.settimeout(timeout)
            return True
        except OSError:
            return False

    def send(self, parts: Sequence[bytes]) -> None:
        """Sends the parts. That the other end closes meanwhile is for `receive` to tell, as it may
        have answered first."""
        if sum(map(len, parts)) <= _TOGETHER:
            parts = (b"".join(parts),)
        try:
            for part in parts:
                self._socket.sendall(part)
        except ConnectionError:
            pass

    def receive(self) -> Answer:
        """Reads the head of the next answer. EOFError: the connection ended before it began."""
        status, reason, version = self._status()
        while status < 200:  # 100 Continue and its like
            self._headers()
            status, reason, version = self._status()
        headers = self._headers()
        if version != b"HTTP/1.1" or b"close" in headers.get(b"connection", b"").lower():
            self.reusable = False
        if status in (204, 304):
            return Answer(status, reason, headers, 0, self._file)
        if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
            return self._whole(status, reason, headers, self._chunks())
        length = headers.get(b"content-length")
        if length is None:
            self.reusable = False
            return self._whole(status, reason, headers, [self._file.read()])
        if not length.isdigit():
            raise ValueError(f"its Content-Length is {length!r}")
        return Answer(status, reason, headers, int(length), self._file)

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _line(self) -> bytes:
        line = self._file.readline(_LINE)
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the connection ended in the middle of an answer")
        return line.rstrip(b"\r\n")

    def _status(self) -> tuple[int, str, bytes]:
        try:
            if not self._file.peek(1):
                raise EOFError("the connection ended before the answer")
        except ConnectionError as error:
            raise EOFError("the connection was cut before the answer") from error
        version, _, rest = self._line().partition(b" ")
        status, _, reason = rest.partition(b" ")
        if not version.startswith(b"HTTP/1.") or not status.isdigit():
            raise ValueError("it is not HTTP")
        return int(status), reason.decode("latin-1"), version

    def _headers(self) -> dict[bytes, bytes]:
        headers = {}
        while line := self._line():
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        return headers

    def _chunks(self) -> Iterable[bytes]:
        while size := int(self._line().partition(b";")[0], 16):
            yield self._file.read(size)
            self._line()
        self._headers()

    @staticmethod
    def _whole(status: int, reason: str, headers: dict[bytes, bytes],
               pieces: Iterable[bytes]) -> Answer:
        body = b"".join(pieces)
        return Answer(status, reason, headers, len(body), io.BytesIO(body))
