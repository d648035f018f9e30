"""A command that takes long: done in short steps, between which others have their turn.

It reads a snapshot, so what it answers is one instant. Returned by a command's function in place of
a reply; the host steps it to its end.
"""

from __future__ import annotations

from kveik.native import i64


class Job:
    """seen: the newest commit that its reply shows; size: bytes that it has gathered.

    delay: seconds to wait before the next step.
    """

    def __init__(self) -> None:
        self.seen: i64 = 0
        self.size: i64 = 0
        self.delay = 0.0

    def step(self) -> bool:
        """Go on for a millisecond or so; False once it is done. Fault: nothing changed, call again.

        CommandError and its kin: it cannot be done.
        """
        raise NotImplementedError

    def reply(self) -> object:
        """Once it is done."""
        raise NotImplementedError

    def failure(self, error: Exception) -> Exception:
        """What the client is told of an error that has ended it."""
        return error

    def end(self) -> None:
        """It is done, or nobody waits for it any more: let go of what it holds. Idempotent."""

    def at_once(self) -> object:
        """The reply where nothing may come in between, in EXEC. Fault: start again."""
        try:
            while self.step():
                pass
            return self.reply()
        finally:
            self.end()


class Unfinished:
    """A reply in the making: the host finishes it once what its command wrote is committed."""

    def finish(self) -> object:
        """The reply. Raises nothing."""
        raise NotImplementedError
