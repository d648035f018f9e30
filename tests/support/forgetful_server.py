"""A program that says OK to every SET and writes nothing down: for tests of what looks for losses.

forgetful_server.py PORT
"""

from __future__ import annotations

import socketserver
import sys

STORE: dict[bytes, bytes] = {}


class Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while head := self.rfile.readline():
            words = []
            for _ in range(int(head[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2])
            self.wfile.write(self._answer(words))

    def _answer(self, words: list[bytes]) -> bytes:
        if words[0] == b"SET":
            STORE[words[1]] = words[2]
            return b"+OK\r\n"
        if words[0] == b"MGET":
            values = [STORE.get(key) for key in words[1:]]
            parts = [b"$-1\r\n" if v is None else b"$%d\r\n%s\r\n" % (len(v), v) for v in values]
            return b"*%d\r\n" % len(parts) + b"".join(parts)
        return b"+PONG\r\n" if words[0] == b"PING" else b"-ERR what?\r\n"


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    with Server(("127.0.0.1", int(sys.argv[1])), Session) as server:
        server.serve_forever()
