"""The connections of a client, shared by its threads.

Invariants: at most `most` are open; each is used by one thread at a time; an idle one is looked at
before it is used again, and one that has met any error is never used again. After a fork the child
opens its own. Called by the pooled clients.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from weakref import WeakSet

from kveik.client.connection import Connection
from kveik.errors import TimeoutError


class Pool:
    def __init__(self, connect: Callable[[], Connection], most: int, timeout: float) -> None:
        """timeout: seconds that a thread waits until one is free."""
        self._connect = connect
        self._most = most
        self._timeout = timeout
        self._idle: list[Connection] = []
        self._open = 0
        self._life = 0  # how often all were closed
        self._free = threading.Condition()
        _pools.add(self)

    def forget(self) -> None:
        """In a child: its sockets are the parent's, and the lock may be held by nobody's thread."""
        for connection in self._idle:
            connection.close()  # which the parent does not notice
        self._idle = []
        self._open = 0
        self._life += 1
        self._free = threading.Condition()

    def take(self) -> tuple[Connection, int]:
        """A connection, and the life of the pool that it belongs to. OSError, TimeoutError."""
        with self._free:
            self._wait()
            life = self._life
            while self._idle:
                connection = self._idle.pop()  # the one used last: it is the likeliest to be alive
                if not connection.stale():
                    return connection, life
                self._let_go(connection)
            self._open += 1
        try:
            return self._connect(), life
        except BaseException:
            with self._free:
                self._open -= 1
                self._free.notify()
            raise

    def _wait(self) -> None:
        """Until there is room for one."""
        deadline = time.monotonic() + self._timeout
        while not self._idle and self._open >= self._most:
            if not self._free.wait(deadline - time.monotonic()):
                raise TimeoutError(f"all {self._most} connections are in use")

    def give(self, connection: Connection, life: int) -> None:
        """It has answered, and can be used again."""
        with self._free:
            if life == self._life:
                self._idle.append(connection)
            else:
                self._let_go(connection)
            self._free.notify()

    def drop(self, connection: Connection) -> None:
        """Something was wrong with it."""
        with self._free:
            self._let_go(connection)
            self._free.notify()

    def close(self) -> None:
        """Close all; those in use once they have answered."""
        with self._free:
            self._life += 1
            while self._idle:
                self._let_go(self._idle.pop())
            self._free.notify_all()

    def _let_go(self, connection: Connection) -> None:
        self._open -= 1
        connection.close()


_pools: WeakSet[Pool] = WeakSet()


def _forget_all() -> None:
    for pool in list(_pools):
        pool.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
