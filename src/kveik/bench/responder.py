"""A server that does nothing: it counts bytes and answers, so that the generator alone is measured.

The job comes as a line of JSON on stdin, its port goes to stdout; it ends with its stdin.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
from dataclasses import dataclass

from kveik.bench.servers import HOST

ROOM = 1 << 16


@dataclass(frozen=True)
class Job:
    request: int  # bytes of a request
    answer: str  # what is answered to each, as latin-1


def serve(job: Job, listener: socket.socket) -> None:
    answer = job.answer.encode("latin-1")
    poll = select.epoll()
    poll.register(listener.fileno(), select.EPOLLIN)
    poll.register(sys.stdin.fileno(), select.EPOLLIN)
    parts: dict[int, int] = {}  # bytes of a request that is not whole yet
    connections: dict[int, socket.socket] = {}
    while True:
        for fd, _ in poll.poll():
            if fd == sys.stdin.fileno():
                return
            if fd == listener.fileno():
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[connection.fileno()] = connection
                parts[connection.fileno()] = 0
                poll.register(connection.fileno(), select.EPOLLIN)
                continue
            data = os.read(fd, ROOM)
            if not data:
                poll.unregister(fd)
                connections.pop(fd).close()
                continue
            whole, parts[fd] = divmod(parts[fd] + len(data), job.request)
            if whole:
                os.write(fd, answer * whole)


def main() -> int:
    job = Job(**json.loads(sys.stdin.readline()))
    with socket.create_server((HOST, 0), backlog=1024) as listener:
        print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
        serve(job, listener)
    return 0


if __name__ == "__main__":
    sys.exit(main())
