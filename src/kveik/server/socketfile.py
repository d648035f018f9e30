"""Socket files: made for their owner alone, and removed at the end. Called by the listener and app.

Invariant: nothing is ever removed but a socket that nobody listens on, or that we have made.
"""

from __future__ import annotations

import errno
import os
import socket
import stat

from kveik.errors import OpenError

MODE = 0o700  # of a socket file: the owner may connect


def bind(path: str) -> socket.socket:
    """A socket bound to a path; OpenError if it cannot be."""
    _make_way(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~MODE)
    try:
        bound.bind(path)
    except OSError as error:
        bound.close()
        raise _cannot(path, error.strerror or str(error)) from None
    finally:
        os.umask(before)
    return bound


def remove(path: str, made: os.stat_result) -> None:
    """Take away a socket file, if it is still the one that was made."""
    try:
        there = os.lstat(path)
        if (there.st_dev, there.st_ino) == (made.st_dev, made.st_ino):
            os.unlink(path)
    except OSError:
        pass  # gone already, or its directory is


def _make_way(path: str) -> None:
    """Remove what a server that was killed has left."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _cannot(path, error.strerror or str(error)) from None
    if not stat.S_ISSOCK(found.st_mode):
        raise _cannot(path, "there is something else, which is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:
                raise _cannot(path, error.strerror or str(error)) from None
        else:
            raise _cannot(path, "another server listens there")
    try:
        os.unlink(path)
    except OSError as error:
        raise _cannot(path, error.strerror or str(error)) from None


def _cannot(path: str, why: str) -> OpenError:
    return OpenError(f"cannot listen on unix://{path}: {why.lower()}")
