"""One keep-alive connection, and as much of HTTP/1.1 as a client of layerd needs.

http.client would do, but reading an answer's headers with it takes longer than the whole of a
small call; and it cannot pipeline, which is how caches are freed (client.py). Neither it nor
socket.create_connection nor a socket's file hands on every exception that a signal handler raises.
"""
import io
import socket
from _socket import getaddrinfo  # socket's own takes a handler's ValueError for an unknown family
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Optional, Union

from .address import Address
from .origins import is_ours

if TYPE_CHECKING:
    import ssl

_TOGETHER = 64 << 10  # up to so many bytes are sent as one, which costs a copy and saves packets
_BUFFER = 64 << 10    # of what is received, and the longest head


class Ended(Exception):
    """The connection ended before the answer began."""


class Received:
    """What a socket receives. The buffer stays: tensors go from the socket to their arrays."""

    def __init__(self, source: socket.socket):
        self._socket = source
        self._data = bytearray(_BUFFER)
        self._memory = memoryview(self._data)
        self._begin = self._end = 0  # what was received and not yet read

    def wait(self) -> bool:
        """Waits until there is something to be read; False at the end."""
        return self._begin < self._end or self._more()

    def until(self, mark: bytes) -> bytes:
        """What comes before `mark`, which is read too."""
        while (found := self._data.find(mark, self._begin, self._end)) < 0:
            if not self._more():
                raise ConnectionResetError("the connection ended in the middle of an answer")
        text = bytes(self._memory[self._begin:found])
        self._begin = found + len(mark)
        return text

    def read(self, count: Optional[int] = None) -> bytes:
        """The next `count` bytes, less at the end; all until the end without a count."""
        if count is None:
            parts = []
            while self.wait():
                parts.append(self.read(self._end - self._begin))
            return b"".join(parts)
        data = bytearray(count)
        del data[self.readinto(memoryview(data)):]
        return data

    def readinto(self, memory: memoryview) -> int:
        """Fills `memory`, of bytes. Returns how many; less at the end."""
        done = min(len(memory), self._end - self._begin)
        memory[:done] = self._memory[self._begin:self._begin + done]
        self._begin += done
        while done < len(memory) and (count := self._socket.recv_into(memory[done:])):
            done += count
        return done

    def _more(self) -> bool:
        """Receives more into the buffer; False at the end."""
        left = self._end - self._begin
        if left == _BUFFER:
            raise ValueError(f"its head is longer than {_BUFFER} bytes")
        self._memory[:left] = self._data[self._begin:self._end]
        self._begin, self._end = 0, left
        self._end += self._socket.recv_into(self._memory[left:])
        return self._end > left


class Answer:
    """The head of an answer, and its body to be read, all of it, before the next request."""

    __slots__ = ("status", "reason", "headers", "length", "_stream")

    def __init__(self, status: int, reason: str, headers: dict[bytes, bytes], length: int,
                 stream: Union[Received, io.BytesIO]):
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
        self._take(len(memory))
        if self._stream.readinto(memory) != len(memory):
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
    """A connection to an address. Used by one thread at a time; useless after any exception."""

    def __init__(self, address: Address, timeout: Optional[float],
                 context: "Optional[ssl.SSLContext]"):
        self._socket = _connect(address, timeout)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context:
                self._socket = context.wrap_socket(self._socket, server_hostname=address.host)
        except BaseException:
            self.close()
            raise
        self._received = Received(self._socket)
        self.reusable = True  # after an answer: whether another request may follow

    def is_quiet(self, timeout: Optional[float]) -> bool:
        """Whether it is still open, as far as is known here, with nothing to be read. Sets the
        timeout of what follows."""
        try:
            self._socket.settimeout(0)
            self._socket.recv(1)
            return False  # its end, or bytes that nobody asked for
        except OSError as error:
            if not is_ours(error):
                raise
            # TLS has a class of its own for it.
            quiet = isinstance(error, BlockingIOError) or type(error).__name__ == "SSLWantReadError"
        if quiet:
            self._socket.settimeout(timeout)
        return quiet

    def send(self, parts: Sequence[bytes]) -> None:
        """Sends the parts. That the other end closes meanwhile is for `receive` to tell, as it may
        have answered first."""
        if sum(map(len, parts)) <= _TOGETHER:
            parts = (b"".join(parts),)
        try:
            for part in parts:
                self._socket.sendall(part)
        except ConnectionError as error:
            if not is_ours(error):
                raise

    def receive(self) -> Answer:
        """Reads the head of the next answer. Ended: the connection ended before it began."""
        self._wait()
        status, reason, version, headers = self._head()
        while status < 200:  # 100 Continue and its like
            status, reason, version, headers = self._head()
        if version != b"HTTP/1.1" or b"close" in headers.get(b"connection", b"").lower():
            self.reusable = False
        if status in (204, 304):
            return Answer(status, reason, headers, 0, self._received)
        if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
            return self._whole(status, reason, headers, self._chunks())
        length = headers.get(b"content-length")
        if length is None:
            self.reusable = False
            return self._whole(status, reason, headers, [self._received.read()])
        if not length.isdigit():
            raise ValueError(f"its Content-Length is {length!r}")
        return Answer(status, reason, headers, int(length), self._received)

    def close(self) -> None:
        self._socket.close()

    def _wait(self) -> None:
        try:
            if not self._received.wait():
                raise Ended("the connection ended before the answer")
        except ConnectionError as error:
            if not is_ours(error):
                raise
            raise Ended("the connection was cut before the answer") from error

    def _head(self) -> tuple[int, str, bytes, dict[bytes, bytes]]:
        first, *lines = self._received.until(b"\r\n\r\n").split(b"\r\n")
        version, _, rest = first.partition(b" ")
        status, _, reason = rest.partition(b" ")
        if not version.startswith(b"HTTP/1.") or not status.isdigit():
            raise ValueError("it is not HTTP")
        headers = {}
        for line in lines:
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        return int(status), reason.decode("latin-1"), version, headers

    def _chunks(self) -> list[bytes]:
        chunks = []
        while size := int(self._received.until(b"\r\n").partition(b";")[0], 16):
            chunks.append(self._received.read(size))
            self._received.until(b"\r\n")
        while self._received.until(b"\r\n"):
            pass  # trailers
        return chunks

    @staticmethod
    def _whole(status: int, reason: str, headers: dict[bytes, bytes],
               pieces: Iterable[bytes]) -> Answer:
        body = b"".join(pieces)
        return Answer(status, reason, headers, len(body), io.BytesIO(body))


def _connect(address: Address, timeout: Optional[float]) -> socket.socket:
    """A socket that is connected to the first of a host's addresses that takes it."""
    failure: OSError = ConnectionError(f"{address.host} has no address")
    for family, kind, protocol, _, place in getaddrinfo(
            address.name, address.port, 0, socket.SOCK_STREAM):
        connected = socket.socket(family, kind, protocol)
        try:
            connected.settimeout(timeout)
            connected.connect(place)
            return connected
        except BaseException as error:
            connected.close()
            if not isinstance(error, OSError) or not is_ours(error):
                raise
            failure = error
    raise failure
