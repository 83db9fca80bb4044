"""Requests as bytes on a socket, for what no client library lets through: old versions, odd spellings, several at once.

Whether the connection stays is asked, not timed: one more request is sent behind the last answer, and is answered or not."""

import re
import socket

import answers

REQUEST_LINE = re.compile(rb"^([A-Z]+) \S+ HTTP/1\.[01]\r?$", re.MULTILINE)
PROBE = b"GET /v1/agent/maintenance HTTP/1.1\r\nHost: probe\r\n\r\n"  # 405, always


class Response:
    """Reads one answer, byte for byte, so that what follows it stays."""

    def __init__(self, stream, method):
        line = stream.readline(65536)
        if not line:
            raise EOFError
        self.version, status, self.reason = (line.decode("latin-1").rstrip("\r\n") + "  ").split(" ", 2)
        self.reason = self.reason.strip()
        self.status, self.headers = int(status), []
        while (line := stream.readline(65536).decode("latin-1").rstrip("\r\n")):
            name, value = line.split(":", 1)
            self.headers.append((name, value.strip()))
        self.body = self._body(stream, method)

    def getheaders(self):
        return self.headers

    def getheader(self, name):
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)

    def _body(self, stream, method):
        if method == "HEAD" or self.status < 200 or self.status in (204, 304):
            return b""
        if self.getheader("transfer-encoding") == "chunked":
            return self._chunks(stream)
        length = self.getheader("content-length")
        return stream.read() if length is None else stream.read(int(length))

    @staticmethod
    def _chunks(stream):
        body = b""
        while (size := int(stream.readline(65536).split(b";")[0], 16)):
            body += stream.read(size)
            stream.readline(65536)
        while stream.readline(65536) not in (b"\r\n", b""):
            pass
        return body


def methods_of(sent):
    return [m.decode() for m in REQUEST_LINE.findall(sent)]


def bytes_of(piece, kept):
    text = answers.filled(piece, kept)
    return text.encode("latin-1") if isinstance(text, str) else text


def answer(address, step, kept):
    """Sends the pieces, each behind an answer to the one before, and reads all answers."""
    out, seen = {"answers": []}, []

    def take(stream, pending):
        method = pending[0] if pending else "GET"
        response = Response(stream, method)
        if response.status >= 200 and pending:
            pending.pop(0)
        shown = answers.answer_of(response, response.body, step, kept)
        # How long an answer is tells its own sender; that it is known to end at all is what matters (HEAD, HTTP/1.0).
        shown["line"] = "%s %d %s" % (response.version, response.status, response.reason)
        shown["connection"] = response.getheader("connection")
        seen.append(response)
        out["answers"].append(shown)

    with socket.create_connection(address, timeout=20) as s, s.makefile("rb") as stream:
        pending = []
        try:
            for i, piece in enumerate(step["pieces"]):
                data = bytes_of(piece, kept)
                s.sendall(data)
                pending += methods_of(data) if i == 0 or not pending else []
                if i + 1 < len(step["pieces"]):
                    take(stream, pending)
            while len([r for r in seen if r.status >= 200]) < step["count"]:
                take(stream, pending)
            s.sendall(PROBE)
            out["connection"] = "stays" if Response(stream, "GET").status == 405 else "answers something else"
        except (EOFError, ConnectionError, ValueError):
            out["connection"] = "ends"
    return out
