"""One shell for all commands of a page, so that a variable set in one is there in the next."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.tools import environment

MARK = b"---- that was all, and its exit code is "


class Shell:
    def __init__(self, folder: Path, programs: Path) -> None:
        """programs: a directory whose programs come before all others."""
        path = f"{programs}:{environment().get('PATH', '')}"
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=environment(PATH=path, COLUMNS="100", NO_COLOR="1"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, command: str) -> tuple[str, int]:
        """What a command prints, stdout and stderr together, and its exit code."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        ending = f"printf '\\n%s%s\\n' '{MARK.decode()}' $?"
        self._bash.stdin.write(f"{{ {command}\n}} < /dev/null\n{ending}\n".encode())
        self._bash.stdin.flush()
        printed: list[bytes] = []
        for line in self._bash.stdout:
            if line.startswith(MARK):
                return b"".join(printed)[:-1].decode("utf-8", "replace"), int(line[len(MARK) :])
            printed.append(line)
        raise AssertionError(f"the shell ended at {command!r}: {b''.join(printed)!r}")

    def end(self) -> None:
        self._bash.kill()
        self._bash.communicate()
