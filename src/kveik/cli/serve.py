"""`kveik serve`: the server, in the foreground, until it is stopped."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time

from kveik.cli.notify import notify
from kveik.limits import DEFAULT_MEMORY, MIN_MEMORY, SEGMENTS_PER_MEMORY
from kveik.model import COMPRESSIONS, DURABILITIES
from kveik.server import app
from kveik.server.config import DEFAULT_HOST, DEFAULT_PORT, Address, Config, parse_address
from kveik.sizes import parse_size, show_size
from kveik.version import describe

ENTRY = 1024  # bytes that an entry is taken for where --memtable-size counts entries
PASSWORD = "KVEIK_PASSWORD"  # noqa: S105  the name of a variable
LOOPBACK = ("127.", "::1", "localhost")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "serve",
        help="serve a directory on one port to Redis clients, JSON lines and more",
        description="Serve a directory. The first bytes of a connection tell its protocol: Redis' "
        "(RESP2, RESP3), JSON lines, length-prefixed pickles or the text protocol.",
    )
    add = parser.add_argument
    add("--host", default=DEFAULT_HOST, help="address to listen on (default: %(default)s)")
    add(
        "--port",
        type=_port,
        default=DEFAULT_PORT,
        help="port to listen on; 0 takes a free one (default: %(default)s)",
    )
    add(
        "--listen",
        action="append",
        type=_address,
        default=[],
        metavar="URL",
        help="a listener as auto://HOST:PORT, or redis://, json://, frame:// or text:// to pin it "
        "to one protocol, or unix:///PATH[?protocol=redis], in place of --host and --port; may be "
        "given several times",
    )
    add("--data-dir", default="data", metavar="DIR", help="the database (default: ./%(default)s)")
    add(
        "--durability",
        choices=DURABILITIES,
        default="always",
        help="when a write is acknowledged: once it is synced (always, the default), at once and "
        "synced every second (interval), or at once and synced when the system likes (none)",
    )
    add(
        "--snapshot-dir",
        default="",
        metavar="DIR",
        help="where SNAPSHOT makes its copies (default: the database's name with -snapshots)",
    )
    memory = parser.add_mutually_exclusive_group()
    memory.add_argument(
        "--memory",
        type=_size,
        default=DEFAULT_MEMORY,
        metavar="SIZE",
        help="memory for what was written lately and for the cache, such as 512MB (default: "
        f"{show_size(DEFAULT_MEMORY)}); the process needs about 100 MB more",
    )
    memory.add_argument(
        "--memtable-size",
        dest="memory",
        type=_memtable,
        metavar="SIZE",
        help="in place of --memory: how much is gathered before it becomes a table, such as 4MB; "
        "a bare number counts entries, of 1 KB each",
    )
    add(
        "--compression",
        choices=COMPRESSIONS,
        default="none",
        help="of what compaction writes: zstd (needs the package zstandard), zlib, auto (zstd "
        "where it is installed, else zlib) or none (the default)",
    )
    add(
        "--password-file",
        metavar="FILE",
        help="a file whose first line is the password that clients must give (AUTH); without it "
        f"the environment's {PASSWORD}, without that everybody may do everything",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    listen = tuple(options.listen) or (Address("auto", options.host, options.port),)
    try:
        password = _password(options.password_file)
        config = Config(
            options.data_dir,
            listen,
            options.durability,
            options.memory,
            options.compression,
            options.snapshot_dir,
            password,
        )
    except (OSError, ValueError) as error:
        print(f"kveik serve: {error}", file=sys.stderr)
        return 2
    for address in listen:
        if not (password or address.path or address.host.startswith(LOOPBACK)):
            logging.getLogger("kveik").warning(
                "%s is reachable by others, and there is no password (--password-file)", address
            )
    app.run(config, Announcement(config).ready, RecoveryProgress().show)
    return 0


class Announcement:
    """Says that the server is ready, and what to try."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def ready(self, addresses: list[str]) -> None:
        config = self._config
        print(describe())
        print(f"data in {os.path.abspath(config.data_dir)}, durability {config.durability}")
        for address in addresses:
            print(f"ready on {address}")
        print("try, in another terminal:")
        for line in dict.fromkeys(hint for url in addresses for hint in hints(url)):
            print(f"  {line}")
        print("stop it with Ctrl-C; what was acknowledged is safe", flush=True)
        notify("READY=1")


def hints(url: str) -> list[str]:
    """Lines for a shell that show what an address is good for."""
    address = parse_address(url)
    host, port, path = address.host, address.port, address.path
    words = {
        "redis": f"-s {path}" if path else f"-h {host} -p {port}",
        "nc": f"-U {path}" if path else f"{host} {port}",
        "connect": f"connect({path!r})" if path else f"connect(({host!r}, {port}))",
        "family": "socket.AF_UNIX" if path else "",
        "demo": f"{_program()} demo --host {host} --port {port}",
    }
    chosen = HINTS[address.protocol]
    return [hint.format(**words) for hint in chosen if not (path and "{demo}" in hint)]


_REDIS = "redis-cli {redis} SET hello world"
_JSON = """echo '{{"command": "read", "key": "hello"}}' | nc -q 1 {nc}"""
_TEXT = "echo 'GET hello' | nc -q 1 {nc}"
_FRAME = (
    'python3 -c "import pickle, socket; s = socket.socket({family}); s.{connect}; '
    "m = pickle.dumps({{'cmd': 'GET', 'key': 'hello'}}); s.send(len(m).to_bytes(4, 'big') + m); "
    'print(pickle.loads(s.recv(9999)[4:]))"'
)
HINTS = {
    "auto": (_REDIS, _JSON, _TEXT, "{demo}"),
    "redis": (_REDIS,),
    "json": (_JSON, "{demo}"),
    "frame": (_FRAME,),
    "text": (_TEXT,),
}


def _program() -> str:
    """How this program was called, so that it can be copied."""
    name = sys.argv[0]
    return f"{sys.executable} -m kveik" if name.endswith("__main__.py") else name


class RecoveryProgress:
    """Shows how far recovery is, once it has taken two seconds."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    def show(self, done: int, total: int) -> None:
        if time.monotonic() - self._begin < 2.0:
            return
        if sys.stderr.isatty():
            end = "\n" if done == total else ""
            print(f"\rrecovering: segment {done} of {total}", end=end, file=sys.stderr, flush=True)
        else:
            print(f"recovering: segment {done} of {total}", file=sys.stderr, flush=True)


def _password(path: str | None) -> str:
    """The password; OSError or ValueError if a file was named and has none."""
    if path is None:
        return os.environ.get(PASSWORD, "")
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        password = file.readline().rstrip("\r\n")
    if not password:
        raise ValueError(f"{path}: the first line is the password, and it is empty")
    return password


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 0 to 65535")
    return int(text)


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _memtable(text: str) -> int:
    """The memory whose memtables are as large as --memtable-size says."""
    size = int(text) * ENTRY if text.strip().isdecimal() else _size(text)
    return max(size * SEGMENTS_PER_MEMORY, MIN_MEMORY)


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
