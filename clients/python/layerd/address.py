"""Where a daemon is, and what each request to it begins with."""
import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t -~\x80-\xff]*")
_PORTS = {"http": 80, "https": 443}
_OWN = {"accept", "connection", "content-length", "content-type", "host", "transfer-encoding"}


class Address:
    """The address of a URL like http://127.0.0.1:8080 or https://host/prefix. ValueError: of none,
    or of a header that cannot be sent.

    host, port  to connect to
    name        the host for getaddrinfo, which would run Python code, for IDNA, on a str
    secure      whether by TLS
    """

    def __init__(self, url: str, headers: Mapping[str, str]):
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"the url is {url}, but must be like http://127.0.0.1:8080 or "
                             "https://host/prefix")
        self.host = parts.hostname
        self.name = self.host.encode("ascii" if self.host.isascii() else "idna")
        self.port = parts.port or _PORTS[parts.scheme]
        self.secure = parts.scheme == "https"
        self._prefix = parts.path.rstrip("/")
        self._headers = f"Host: {parts.netloc.rpartition('@')[2]}\r\n"
        for name, value in headers.items():
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise ValueError(f"there can be no header {name!r} with this value")
            if name.lower() in _OWN:
                raise ValueError(f"the header {name} is set by the client itself")
            self._headers += f"{name}: {value}\r\n"

    def request(self, method: str, target: str) -> str:
        """The head of a request, to which headers and an empty line may be added."""
        target = quote(target, safe="/?&=")
        return f"{method} {self._prefix}{target} HTTP/1.1\r\n{self._headers}"
