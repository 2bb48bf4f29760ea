"""Just enough of HTTP/1.1 over asyncio to behave well, and to behave badly on purpose."""
import asyncio
import json


class Gone(Exception):
    """The connection ended, or could not be had."""


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def code(self):
        return json.loads(self.body).get("code") if self.status >= 400 else None


def head(method, target, length, *headers):
    lines = [f"{method} {target} HTTP/1.1", "Host: chaos", f"Content-Length: {length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


class Connection:
    """One at a time; opened at the first use, and again after an end."""

    def __init__(self, port):
        self.port, self.reader, self.writer = port, None, None

    async def open(self):
        if self.writer is None:
            try:
                self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port,
                                                                         limit=1 << 26)
            except OSError as error:
                raise Gone from error

    def close(self):
        if self.writer is not None:
            self.writer.transport.abort()
        self.reader = self.writer = None

    async def send(self, data):
        await self.open()
        try:
            self.writer.write(data)
            await self.writer.drain()
        except OSError as error:
            self.close()
            raise Gone from error

    async def read(self):
        try:
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            self.close()
            raise Gone from error
        if headers.get("connection") == "close":
            self.close()
        return Answer(int(lines[0].split()[1]), headers, body)

    async def call(self, method, target, body=b"", *headers):
        await self.send(head(method, target, len(body), *headers) + body)
        return await self.read()
