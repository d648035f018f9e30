"""The build: setuptools, with an exactly pinned mypyc added where the hot modules can be compiled.

They can where KVEIK_PURE is not set and a C compiler builds a one-line extension. Everywhere else
the same files are installed uncompiled, and nothing but setuptools is needed to build.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from pathlib import Path

from setuptools.build_meta import (
    build_sdist,
    build_wheel,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_wheel",
    "why_pure",
]

MYPYC = ["mypy[mypyc]==2.4.1", "librt==0.16.0"]


def why_pure() -> str:
    """Why the hot modules will not be compiled; empty if they will."""
    if os.environ.get("KVEIK_PURE", "") not in ("", "0"):
        return "KVEIK_PURE is set"
    if sys.implementation.name != "cpython":
        return f"mypyc compiles for CPython, not for {sys.implementation.name}"
    return "" if _compiler_works() else "no C compiler with Python's headers was found"


def _compiler_works() -> bool:
    from setuptools._distutils.ccompiler import new_compiler
    from setuptools._distutils.sysconfig import customize_compiler

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.c")
        source.write_text("#include <Python.h>\nint probe(void) { return PY_VERSION_HEX != 0; }\n")
        try:
            compiler = new_compiler()
            customize_compiler(compiler)
            include = sysconfig.get_paths()["include"]
            compiler.compile([str(source)], output_dir=folder, include_dirs=[include])
        except Exception:  # whatever a compiler may do wrong, the answer is the same
            return False
    return True


def get_requires_for_build_wheel(config_settings: object = None) -> list[str]:
    """mypyc where it will be used; setuptools asks for nothing else."""
    return [] if why_pure() else MYPYC
