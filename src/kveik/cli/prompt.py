"""The shell's prompt: history, completion, keys. The one place that knows prompt-toolkit.

The history is kept in the XDG state directory, for its owner alone. Called by `kveik shell`.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kveik.cli.notation import read_prefix, show_key
from kveik.cli.packages import need
from kveik.cli.shell import COMMANDS, LEAVING, Leave, Shell
from kveik.errors import KveikError
from kveik.format.keys import prefix_bounds

need("prompt_toolkit", "prompt-toolkit")

from prompt_toolkit import PromptSession  # noqa: E402
from prompt_toolkit.completion import CompleteEvent, Completer, Completion  # noqa: E402
from prompt_toolkit.document import Document  # noqa: E402
from prompt_toolkit.history import FileHistory, History, InMemoryHistory  # noqa: E402

MOST = 50  # keys that are offered


def converse(shell: Shell) -> int:
    """Read lines and perform them until the user leaves."""
    session: PromptSession[str] = PromptSession(
        f"{shell.target.name}> ",
        history=_history(),
        completer=Words(shell),
        complete_while_typing=False,
    )
    print(f"kveik on {shell.target.name}: help lists the commands, Ctrl-D leaves")
    while True:
        try:
            shell.perform(session.prompt())
        except KeyboardInterrupt:  # cancels the line, or what it does
            continue
        except (EOFError, Leave):
            return 0
        except (KveikError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)


class Words(Completer):
    """Commands first, then keys."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._commands: list[str] | None = None

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterable[Completion]:
        before = document.text_before_cursor.lstrip()
        begun = before.rpartition(" ")[2]
        try:
            words = self._keys(begun) if " " in before else self._names(begun)
        except (KveikError, OSError):
            return
        for word in words:
            yield Completion(word, start_position=-len(begun))

    def _names(self, begun: str) -> list[str]:
        own = [name for name in (*COMMANDS, "help", *LEAVING) if name.startswith(begun)]
        if self._commands is None:
            raw = self._shell.raw
            told: list[Any] = [] if raw is None else raw.call(["COMMAND", "LIST"])
            self._commands = sorted(name.decode().upper() for name in told)
        return own + [name for name in self._commands if begun and name.startswith(begun.upper())]

    def _keys(self, begun: str) -> list[str]:
        if begun.startswith(("-", "(", "'", '"')):
            return []
        low, high = prefix_bounds(read_prefix(begun))
        found = self._shell.target.cells(low, high, limit=MOST)
        return [shlex.quote(show_key(entry.key)) for entry in found]


class Lines(FileHistory):
    """Passwords are not kept."""

    def store_string(self, string: str) -> None:
        if string.split()[:1] and string.split()[0].lower() not in ("auth", "hello", "config"):
            super().store_string(string)


def _history() -> History:
    path = state_directory() / "history"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError:
        return InMemoryHistory()
    return Lines(str(path))


def state_directory() -> Path:
    """Where the XDG base directory specification puts what should outlive a session."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return Path(base if os.path.isabs(base) else Path.home() / ".local" / "state") / "kveik"
