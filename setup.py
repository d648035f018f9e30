"""Names the hot modules and has mypyc compile them as one unit (see build_backend/backend.py)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "build_backend"))

from backend import why_pure  # noqa: E402

# Whole folders, or single files where a folder also holds asyncio or command-line code.
HOT = [
    "model.py",
    "format/*.py",
    "engine/*.py",
    "command/*.py",
    "wire/*.py",
    "server/answering.py",
    "server/buffers.py",
    "server/dialects.py",
    "server/gate.py",
    "server/held.py",
    "server/host.py",
    "server/session.py",
]

# Python's own abstract classes cannot be the bases of compiled ones.
NOT_HOT = {"__init__.py", "mapping.py"}

BUILDS = {"bdist_wheel", "build", "build_ext", "editable_wheel", "install"}


def hot_modules() -> list[str]:
    found = (path for pattern in HOT for path in sorted((ROOT / "src/kveik").glob(pattern)))
    return [str(path.relative_to(ROOT)) for path in found if path.name not in NOT_HOT]


def extensions() -> list[object]:
    if not BUILDS.intersection(sys.argv):
        return []  # setuptools only asks for metadata
    reason = why_pure()
    if reason:
        print(f"kveik: installing uncompiled (pure) modules: {reason}", file=sys.stderr)
        return []
    from mypyc.build import mypycify

    os.environ.setdefault("MYPYPATH", "src")
    # a build has no other library at hand: modules that need one are `make lint`'s to check
    options = ["--strict", "--follow-imports=silent"]
    report = os.environ.get("KVEIK_ANNOTATE")  # a file for mypyc's report of slow spots
    if report:
        options += ["-a", report]
    # -O2: -O3 makes the loop of a request larger than it makes it faster (5 % a GET, measured).
    units = list(mypycify([*options, *hot_modules()], opt_level="2", debug_level="0"))
    if os.name != "nt":
        for unit in units:  # nothing else calls into it: functions may be inlined (14 % a get)
            unit.extra_compile_args.append("-fvisibility=hidden")
    return units


setup(ext_modules=extensions())
