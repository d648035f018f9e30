"""The version, and what this installation is made of. Imports nothing of ours."""

from __future__ import annotations

import importlib.util
import platform
import sys

VERSION = "0.1.0"


def flavour() -> str:
    """ "compiled" if the hot modules are machine code, else "pure"."""
    spec = importlib.util.find_spec("kveik.model")
    origin = spec.origin if spec else None
    return "pure" if origin is None or origin.endswith(".py") else "compiled"


def event_loop() -> str:
    """The event loop that a server would run on."""
    return "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"


def describe() -> str:
    """One line: version, flavour, event loop, Python."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"kveik {VERSION} ({flavour()}, {event_loop()}, {python}, {sys.platform})"
