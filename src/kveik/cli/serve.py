"""`kveik serve`: the server, in the foreground, until it is stopped."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time

from kveik.cli.notify import notify
from kveik.cli.serve_settings import SETTINGS, config_of
from kveik.cli.settings import add_flags, as_toml, gather
from kveik.server.config import Config, parse_address
from kveik.version import describe

CONFIG = "KVEIK_CONFIG"
LOOPBACK = ("127.", "::1", "localhost")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "serve",
        help="serve a directory on one port to Redis clients, JSON lines and more",
        description="Serve a directory. The first bytes of a connection tell its protocol: Redis' "
        "(RESP2, RESP3), JSON lines, length-prefixed pickles or the text protocol.",
        epilog="Each flag may also be a variable of the environment (--data-dir: KVEIK_DATA_DIR) "
        'or an entry of the file (data-dir = "data"). A flag comes before the environment, that '
        "before the file. Example: kveik serve --port 7000 --data-dir /var/lib/kveik",
    )
    add_flags(parser, SETTINGS)
    parser.add_argument(
        "--config",
        metavar="FILE",
        help=f"a TOML file with settings (default: the file that the environment's {CONFIG} names)",
    )
    parser.add_argument(
        "--print-config",
        action="store_true",
        help="print the settings that are in effect, as a file that --config reads, and where each "
        "comes from; serve nothing",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    try:
        path = options.config or os.environ.get(CONFIG) or None
        values = gather(SETTINGS, options, os.environ, path)
        config = config_of(values)
        if options.print_config:
            print(as_toml(SETTINGS, values), end="")
            return 0
    except (OSError, ValueError) as error:
        print(f"kveik serve: {error}", file=sys.stderr)
        return 2
    return serve(config)


def serve(config: Config) -> int:
    from kveik.server import app

    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    for address in config.listen:
        if not (config.password or address.path or address.host.startswith(LOOPBACK)):
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
