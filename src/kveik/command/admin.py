"""Commands on the server: INFO CONFIG SHUTDOWN. Called through the registry."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

from kveik.command.arguments import SYNTAX, shown
from kveik.command.command import Command, on_client
from kveik.command.sessions import REDIS_VERSION
from kveik.command.state import Client, Server
from kveik.errors import CommandError
from kveik.limits import DATABASES
from kveik.model import NO_REPLY, Verbatim
from kveik.sizes import show_size

MAX_PATTERN: Final = 64  # bytes of a CONFIG GET pattern
_SHUTDOWN_WORDS: Final = frozenset((b"SAVE", b"NOSAVE", b"NOW", b"FORCE"))


def shutdown(client: Client, args: list[bytes]) -> object:
    """SHUTDOWN [SAVE | NOSAVE] [NOW] [FORCE]: what was acknowledged is on the disk either way."""
    words = {word.upper() for word in args[1:]}
    if not words <= _SHUTDOWN_WORDS or {b"SAVE", b"NOSAVE"} <= words:
        raise CommandError(SYNTAX)
    client.closing = True
    client.server.stop()
    return NO_REPLY


def config(client: Client, args: list[bytes]) -> object:
    """CONFIG GET pattern [pattern ...]"""
    word = args[1].upper()
    if word != b"GET":
        if word in (b"SET", b"RESETSTAT", b"REWRITE"):
            raise CommandError(
                f"ERR CONFIG subcommand '{shown(args[1])}' is not supported; try CONFIG GET *"
            )
        raise CommandError(f"ERR unknown subcommand '{shown(args[1])}'. Try CONFIG HELP.")
    if len(args) == 2:
        raise CommandError("ERR wrong number of arguments for 'config|get' command")
    # No name is longer, and a long pattern could keep the loop busy for seconds.
    patterns = [p.decode("utf-8", "replace").lower() for p in args[2:] if len(p) <= MAX_PATTERN]
    found: dict[object, object] = {}
    for name, value in client.server.configuration.items():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            found[name.encode()] = value.encode()
    return found


def info(client: Client, args: list[bytes]) -> object:
    """INFO [section ...]"""
    wanted = {word.decode("utf-8", "replace").lower() for word in args[1:]}
    everything = not wanted or bool(wanted & {"all", "default", "everything"})
    blocks: list[str] = []
    for title, lines in _sections(client.server).items():
        if everything or title.lower() in wanted:
            body = "".join(f"{name}:{value}\r\n" for name, value in lines.items())
            blocks.append(f"# {title}\r\n{body}")
    return Verbatim("\r\n".join(blocks))


def _sections(server: Server) -> dict[str, dict[str, object]]:
    store = server.store
    uptime = int(server.now - server.started)
    keyspace: dict[str, object] = {}
    for database in range(DATABASES):
        keys = store.view.likely_keys(database)
        if keys:
            keyspace[f"db{database}"] = f"keys={keys},expires=0,avg_ttl=0"
    return {
        "Server": {
            "redis_version": REDIS_VERSION,
            "redis_mode": "standalone",
            **server.facts,
            "uptime_in_seconds": uptime,
            "uptime_in_days": uptime // 86400,
        },
        "Clients": {"connected_clients": server.connections, "blocked_clients": 0},
        "Memory": {
            "used_memory": server.used_memory,
            "used_memory_human": show_size(server.used_memory),
            "used_memory_rss": server.used_memory,
            "used_memory_peak": server.peak_memory,
            "used_memory_peak_human": show_size(server.peak_memory),
            "maxmemory": 0,
        },
        "Persistence": {
            "loading": 0,
            "aof_enabled": 1,
            "aof_last_write_status": "err" if store.failure else "ok",
            "kveik_last_lsn": store.lsn(),
            "kveik_synced_lsn": store.synced(),
            "kveik_failure": store.failure or "none",
        },
        "Stats": {
            "total_connections_received": server.connections_ever,
            "total_commands_processed": server.commands,
        },
        "Replication": {"role": "master", "connected_slaves": 0},
        "CPU": {
            "used_cpu_sys": f"{server.cpu_system:.6f}",
            "used_cpu_user": f"{server.cpu_user:.6f}",
        },
        "Keyspace": keyspace,
    }


COMMANDS: Final[list[Command]] = [
    on_client(
        config,
        "CONFIG",
        -2,
        "admin noscript loading stale",
        "server",
        "Returns configuration parameters (GET).",
        since="2.0.0",
    ),
    on_client(
        info, "INFO", -1, "loading stale", "server", "Returns facts and statistics of the server."
    ),
    on_client(
        shutdown,
        "SHUTDOWN",
        -1,
        "admin noscript loading stale",
        "server",
        "Syncs what is left and stops the server.",
    ),
]
