"""mypyc's run-time shims, with stand-ins so that Kveik starts on the standard library alone.

`i64` and its kin are machine integers where a module is compiled and plain ints where it is not.
Imports nothing of ours; anybody may import it.
"""

from __future__ import annotations

try:
    from mypy_extensions import i16, i32, i64, mypyc_attr, u8
except ImportError:  # uncompiled, and nothing else installed
    i16 = i32 = i64 = u8 = int  # type: ignore[misc]

    def mypyc_attr(*attrs, **kwattrs):  # type: ignore
        """Do nothing: attributes only speak to the compiler."""
        return lambda decorated: decorated


try:
    from librt.threading import Lock
except ImportError:
    from threading import Lock  # type: ignore[assignment]


__all__ = ["Lock", "i16", "i32", "i64", "mypyc_attr", "u8"]
