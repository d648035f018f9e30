"""Plain data: drawn, compared with their types, and pickles that want more than that."""

from __future__ import annotations

import io
import os
import pickle
import struct

from hypothesis import strategies as st


def typed(value: object) -> object:
    """Something that is equal for values that are equal in their types, too."""
    if isinstance(value, (list, tuple)):
        return type(value).__name__, tuple(typed(item) for item in value)
    if isinstance(value, (set, frozenset)):
        return type(value).__name__, frozenset(typed(item) for item in value)
    if isinstance(value, dict):
        return "dict", tuple((typed(key), typed(item)) for key, item in value.items())
    return type(value).__name__, value if type(value) is int else repr(value)


def _plain(protocol: int) -> st.SearchStrategy[object]:
    single: st.SearchStrategy[object] = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(-(1 << 2100), 1 << 2100),
        st.floats(),
        st.text(max_size=8),
        st.text(st.characters(categories=["Cs"]), max_size=3),
    )
    if protocol >= 3:
        single |= st.binary(max_size=8)
    keys = single | st.tuples(single, single)
    if protocol >= 4:
        keys |= st.frozensets(single, max_size=3)

    def around(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
        found = (
            st.lists(inner, max_size=4)
            | st.lists(inner, max_size=4).map(tuple)
            | st.dictionaries(keys, inner, max_size=4)
        )
        if protocol >= 4:
            found |= st.sets(keys, max_size=4) | st.frozensets(keys, max_size=4)
        return found

    return st.recursive(single, around, max_leaves=8)


_KINDS = {protocol: _plain(protocol) for protocol in (2, 3, 4)}


def plain(protocol: int) -> st.SearchStrategy[object]:
    """Plain data that a pickle of the protocol says without running anything."""
    return _KINDS[max(2, min(protocol, 4))]


class Evil:
    """Its pickle runs a program when it is loaded."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> object:
        return os.system, (f"touch {self._path}",)


class State:
    """Its pickle sets what it likes on an object."""

    def __init__(self) -> None:
        self.admin = True


class _Persistent(pickle.Pickler):
    def persistent_id(self, obj: object) -> object:
        return "a/path" if isinstance(obj, State) else None


def _persistent(protocol: int) -> bytes:
    out = io.BytesIO()
    _Persistent(out, protocol).dump(State())
    return out.getvalue()


def exploits(path: str) -> dict[str, tuple[bytes, str]]:
    """Name -> (a pickle that would touch the path or do some other harm, the opcode refused)."""
    command = f"touch {path}".encode()
    short = b"\x8c" + bytes((len(command),)) + command
    long = b"X" + len(command).to_bytes(4, "little") + command
    found: dict[str, tuple[bytes, str]] = {
        "GLOBAL and REDUCE": (b"cos\nsystem\n(V" + command + b"\ntR.", "GLOBAL"),
        "posix by its other name": (b"cposix\nsystem\n(V" + command + b"\ntR.", "GLOBAL"),
        "eval": (b"cbuiltins\neval\n(V__import__('os').abort()\ntR.", "GLOBAL"),
        "STACK_GLOBAL": (
            b"\x80\x04\x8c\x02os\x8c\x06system\x93" + short + b"\x85R.",
            "STACK_GLOBAL",
        ),
        "INST": (b"(V" + command + b"\nios\nsystem\n.", "INST"),
        "OBJ": (b"(cos\nsystem\n" + long + b"o.", "GLOBAL"),
        "OBJ of what stands there": (b"(" + long + b"o.", "OBJ"),
        "NEWOBJ": (b"\x80\x02cos\nsystem\n" + long + b"\x85\x81.", "GLOBAL"),
        "NEWOBJ alone": (b"\x80\x02))\x81.", "NEWOBJ"),
        "NEWOBJ_EX": (b"\x80\x04))}\x92.", "NEWOBJ_EX"),
        "REDUCE alone": (b"\x80\x02))R.", "REDUCE"),
        "BUILD": (b"\x80\x02]}(X\x01\x00\x00\x00aK\x01ub.", "BUILD"),
        "EXT1": (b"\x80\x02\x82\x01.", "EXT1"),
        "EXT2": (b"\x80\x02\x83\x01\x00.", "EXT2"),
        "EXT4": (b"\x80\x02\x84\x01\x00\x00\x00.", "EXT4"),
        "PERSID": (b"Psecret\n.", "PERSID"),
        "BINPERSID": (b"\x80\x02X\x01\x00\x00\x00aQ.", "BINPERSID"),
        "a bytearray": (b"\x80\x05\x96\x01\x00\x00\x00\x00\x00\x00\x00a.", "BYTEARRAY8"),
        "a buffer from elsewhere": (b"\x80\x05\x97.", "NEXT_BUFFER"),
        "a read-only buffer": (b"\x80\x05N\x98.", "READONLY_BUFFER"),
        "deep inside": (b"\x80\x04](}(K\x01cos\nsystem\nue.", "GLOBAL"),
        "behind a frame": (
            b"\x80\x04\x95" + struct.pack("<Q", 20) + b"cos\nsystem\n" + b"." * 9,
            "GLOBAL",
        ),
        "POP": (b"NN0.", "POP"),
        "POP_MARK": (b"N(NN1.", "POP_MARK"),
        "DUP": (b"]2.", "DUP"),
    }  # fmt: skip
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        name = "GLOBAL" if protocol < 4 else "STACK_GLOBAL"
        objects = {"a reduce": Evil(path), "a class": State, "a function": print, "an object": 1j}
        for what, obj in objects.items():
            found[f"{what}, protocol {protocol}"] = pickle.dumps(obj, protocol), name
        made = "GLOBAL" if protocol < 2 else name
        found[f"state, protocol {protocol}"] = pickle.dumps(State(), protocol), made
        kind = "PERSID" if protocol == 0 else "BINPERSID"
        found[f"persistent, protocol {protocol}"] = _persistent(protocol), kind
        found[f"a request, protocol {protocol}"] = (
            pickle.dumps({"cmd": "SET", "key": "k", "value": Evil(path)}, protocol),
            name,
        )
    return found


def int_trap(count: int) -> bytes:
    """A pickle of a dict whose keys all have the same hash."""
    step = (1 << 61) - 1
    return pickle.dumps({number * step: None for number in range(1, count + 1)}, 4)


BOMBS: dict[str, bytes] = {
    "nested lists": b"(" * 200_000 + b"l" * 200_000 + b".",
    "nested tuples": b")" + b"\x85" * 200_000 + b".",
    "nested dicts": b"}" + b"N}" * 100_000 + b"s" * 100_000 + b".",
    "a list in itself": b"]q\x00h\x00a.",
    "a list in itself, often": b"]q\x00(" + b"h\x00" * 1000 + b"e.",
    "a dict in itself": b"}q\x00K\x01h\x00s.",
    "laughs": b"(]" + b"".join(b"q%c](h%ch%ch%ce" % (n, n, n, n) for n in range(60)) + b"l.",
    "laughs of tuples": b")" + b"".join(b"q%ch%ch%c\x87" % (n, n, n) for n in range(60)) + b".",
    "laughs as a key": b"}(" + b")" + b"".join(b"q%ch%c\x86" % (n, n) for n in range(60)) + b"Nu.",
    "laughs in a set": b"\x8f()" + b"".join(b"q%ch%c\x86" % (n, n) for n in range(60)) + b"\x90.",
    "a long text, often": b"(X\x00\x00\x10\x00" + b"x" * (1 << 20)
    + b"q\x00" + b"h\x00" * 999 + b"t.",
    "empty sets": b"(" + b"\x8f" * 2_000_000 + b"l.",
    "marks": b"(" * 2_000_000 + b".",
    "memos": b"N" + b"\x94" * 2_000_000 + b".",
    "a number of many digits": b"I" + b"9" * 1_000_000 + b"\n.",
    "a long of many digits": b"L" + b"9" * 1_000_000 + b"L\n.",
    "a float of many digits": b"F" + b"9" * 1_000_000 + b"\n.",
    "places of memos that collide": b"N" + b"".join(
        b"p%d\n" % (number * ((1 << 61) - 1)) for number in range(1, 9)
    ) + b".",
    "keys that collide": int_trap(20_000),
    "members that collide": pickle.dumps({n * ((1 << 61) - 1) for n in range(1, 3000)}, 4),
    "frozen members that collide": pickle.dumps(
        frozenset(n * ((1 << 61) - 1) for n in range(1, 3000)), 4
    ),
}  # fmt: skip

BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "no stop": b"N",
    "two values": b"NN.",
    "no value": b".",
    "a mark left": b"(N.",
    "bytes behind": b"N.N.",
    "an unknown opcode": b"\x01.",
    "an unknown protocol": b"\x80\x06N.",
    "a text too long": b"\x8c\xffshort.",
    "a text past all": b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffshort.",
    "bytes past all": b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fshort.",
    "LONG4 past all": b"\x8b\xff\xff\xff\x7f1.",
    "LONG4 below zero": b"\x8b\xff\xff\xff\xff1.",
    "a frame past all": b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xffN.",
    "text that is none": b"\x8c\x01\xff.",
    "escapes that are none": b"V\\u12\n.",
    "an int that is none": b"Iabc\n.",
    "a long that is none": b"LxL\n.",
    "a float that is none": b"F1.2.3\n.",
    "a line without an end": b"I1",
    "nothing remembered": b"h\x05.",
    "a place that is none": b"Np-1\n.",
    "a list's item without a list": b"Na.",
    "items without a list": b"N(Ne.",
    "a dict's item without a dict": b"NNNs.",
    "items without a dict": b"N(NNu.",
    "members without a set": b"N(N\x90.",
    "a key without a value": b"}(Nu.",
    "a list as a key": b"}(]Nu.",
    "a dict as a member": b"\x8f(}\x90.",
    "a list in a frozen set": b"(]\x91.",
    "a list within a key": b"}(]\x85Nu.",
    "a tuple of nothing": b"\x85.",
    "no mark": b"t.",
    "a mark that was passed by": b"N(a.",
    "a mark above the stack": b"NN(\x86t.",
    "a list's place taken": b"]]]((\x87t.",
}
