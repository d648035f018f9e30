"""INFO: facts and statistics of the server. Called through the registry.

The names are Redis', so that its tools find them; what Kveik does not have or measure is left out.
"""

from __future__ import annotations

import time
from typing import Final

from kveik.command.command import Command, on_client
from kveik.command.measures import BUCKETS, Calls
from kveik.command.sessions import REDIS_VERSION
from kveik.command.state import Client, Server
from kveik.engine.statistics import statistics
from kveik.limits import DATABASES
from kveik.model import Verbatim

Lines = dict[str, object]

SECTIONS: Final = (
    "Server",
    "Clients",
    "Memory",
    "Persistence",
    "Stats",
    "Replication",
    "CPU",
    "Modules",
    "Commandstats",
    "Errorstats",
    "Latencystats",
    "Cluster",
    "Kveik",
    "Keyspace",
)
RARE: Final = frozenset(("Commandstats", "Latencystats"))  # shown where they are asked for
ALL: Final = frozenset(("all", "everything"))
ALWAYS: Final[dict[str, Lines]] = {
    "Replication": {"role": "master", "connected_slaves": 0, "master_repl_offset": 0},
    "Modules": {},
    "Cluster": {"cluster_enabled": 0},
}
ENGINE: Final = (  # of engine.statistics
    "memtables",
    "memtable_entries",
    "cache_hits",
    "cache_misses",
    "cache_bytes",
    "cache_capacity",
    "cache_evictions",
    "table_searches",
    "read_amplification",
    "write_amplification",
    "flushes",
    "flushed_bytes",
    "compactions",
    "compacting",
    "compaction_read_bytes",
    "compaction_written_bytes",
    "compaction_seconds",
    "stalled_seconds",
    "debt",
)
PERCENTILES: Final = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))


def info(client: Client, args: list[bytes]) -> object:
    """INFO [section ...]"""
    wanted = {word.decode("utf-8", "replace").lower() for word in args[1:]}
    everything = not wanted.isdisjoint(ALL)
    usual = not wanted or "default" in wanted
    blocks: list[str] = []
    for title in SECTIONS:
        if everything or title.lower() in wanted or (usual and title not in RARE):
            lines = _section(client.server, title)
            body = "".join([f"{name}:{value}\r\n" for name, value in lines.items()])
            blocks.append(f"# {title}\r\n{body}")
    return Verbatim("\r\n".join(blocks))


def _section(server: Server, title: str) -> Lines:
    if title == "Server":
        return _server(server)
    if title == "Clients":
        return _clients(server)
    if title == "Memory":
        return _memory(server)
    if title == "Persistence":
        return _persistence(server)
    if title == "Stats":
        return _stats(server)
    if title == "CPU":
        return {
            "used_cpu_sys": f"{server.cpu_system:.6f}",
            "used_cpu_user": f"{server.cpu_user:.6f}",
        }
    if title == "Commandstats":
        return _commandstats(server)
    if title == "Errorstats":
        errors = server.measures.errors
        return {f"errorstat_{code}": f"count={count}" for code, count in errors.items()}
    if title == "Latencystats":
        return _latencystats(server)
    if title == "Kveik":
        return _engine(server)
    return _keyspace(server) if title == "Keyspace" else ALWAYS[title]


def _server(server: Server) -> Lines:
    uptime = int(server.now - server.started)
    return {
        "redis_version": REDIS_VERSION,
        "redis_mode": "standalone",
        **server.facts,
        "server_time_usec": time.time_ns() // 1000,
        "uptime_in_seconds": uptime,
        "uptime_in_days": uptime // 86400,
    }


def _clients(server: Server) -> Lines:
    waiting = [client for client in server.clients.values() if client.waiting is not None]
    subscribers = [client for client in server.clients.values() if client.subscriptions() > 0]
    return {
        "connected_clients": server.connections,
        "maxclients": server.most_connections,
        "blocked_clients": len(waiting),
        "pubsub_clients": len(subscribers),
        "tracking_clients": 0,
    }


def _memory(server: Server) -> Lines:
    return {
        "used_memory": server.used_memory,
        "used_memory_human": human(server.used_memory),
        "used_memory_rss": server.used_memory,
        "used_memory_rss_human": human(server.used_memory),
        "used_memory_peak": server.peak_memory,
        "used_memory_peak_human": human(server.peak_memory),
        "maxmemory": 0,
        "maxmemory_human": "0B",
        "maxmemory_policy": "noeviction",
        "kveik_queued_bytes": server.queued,
        "kveik_buffered_bytes": server.buffered,
    }


def human(size: int) -> str:
    """A size as Redis shows it: 1.50M."""
    for unit, letter in ((1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")):
        if size >= unit:
            return f"{size / unit:.2f}{letter}"
    return f"{size}B"


def _persistence(server: Server) -> Lines:
    store = server.store
    unsynced = store.lsn() - store.synced()
    return {
        "loading": 0,
        "async_loading": 0,
        "rdb_changes_since_last_save": unsynced,
        "rdb_bgsave_in_progress": 0,
        "rdb_last_save_time": int(server.last_sync),
        "rdb_last_bgsave_status": "err" if store.failure else "ok",
        "aof_enabled": 1,
        "aof_rewrite_in_progress": 0,
        "aof_rewrite_scheduled": 0,
        "aof_last_bgrewrite_status": "ok",
        "aof_last_write_status": "err" if store.failure else "ok",
        "kveik_last_lsn": store.lsn(),
        "kveik_synced_lsn": store.synced(),
        "kveik_failure": store.failure or "none",
    }


def _stats(server: Server) -> Lines:
    return {
        "total_connections_received": server.connections_ever - server.connections_before,
        "total_commands_processed": server.performed() - server.forgotten,
        "instantaneous_ops_per_sec": int(server.rate),
        "total_net_input_bytes": server.bytes_in,
        "total_net_output_bytes": server.bytes_out,
        "rejected_connections": server.refused,
        "evicted_clients": server.evicted,
        "client_output_buffer_limit_disconnections": server.slow,
        "kveik_idle_connections_closed": server.idle,
        "evicted_keys": 0,
        "pubsub_channels": len(server.channels),
        "pubsub_patterns": len(server.patterns),
        "pubsubshard_channels": len(server.shard_channels),
        "kveik_watches": len(server.feeds.all),
        "total_error_replies": sum(server.measures.errors.values()),
    }


def _engine(server: Server) -> Lines:
    """The engine's own statistics; sizes in bytes, times in seconds, counts since the start."""
    found = statistics(server.store, server.upkeep)
    lines: Lines = {}
    for number, level in enumerate(found["levels"]):
        facts = ",".join([f"{name}={value}" for name, value in level.items()])
        lines[f"kveik_level_{number}"] = facts
    for name in ENGINE:
        value = found[name]
        lines[f"kveik_{name}"] = f"{value:.3f}" if isinstance(value, float) else value
    return lines


def _commandstats(server: Server) -> Lines:
    """Plain GETs and SETs are counted, and not timed: usec is of the others."""
    lines: Lines = {}
    for name, calls in _counted(server).items():
        usec = int(calls.seconds * 1e6)
        timed = sum(calls.buckets)
        lines[f"cmdstat_{name}"] = (
            f"calls={calls.calls},usec={usec},usec_per_call={usec / max(timed, 1):.2f},"
            f"rejected_calls={calls.rejected},failed_calls={calls.failed}"
        )
    return lines


def _counted(server: Server) -> dict[str, Calls]:
    """What was called, the plain GETs and SETs included."""
    found = dict(server.measures.calls)
    plain = (
        ("get", server.plain_hits + server.plain_misses - server.measures.plain_gets),
        ("set", server.plain_sets - server.measures.plain_sets),
    )
    for name, count in plain:
        if count > 0:
            calls = Calls()
            known = found.get(name)
            if known is not None:
                calls.rejected = known.rejected
                calls.failed = known.failed
                calls.seconds = known.seconds
                calls.buckets = known.buckets
                calls.calls = known.calls
            calls.calls += count
            found[name] = calls
    return found


def _latencystats(server: Server) -> Lines:
    """Each the upper end of the power of two that it falls into."""
    lines: Lines = {}
    for name, calls in server.measures.calls.items():
        if sum(calls.buckets) > 0:
            parts = [f"{label}={percentile(calls, part):.3f}" for label, part in PERCENTILES]
            lines[f"latency_percentiles_usec_{name}"] = ",".join(parts)
    return lines


def percentile(calls: Calls, part: float) -> float:
    """Microseconds that so large a part of the calls took at most."""
    wanted = int(sum(calls.buckets) * part)
    count = 0
    for at in range(BUCKETS):
        count += calls.buckets[at]
        if count > 0 and count >= wanted:
            return float(1 << at)
    return float(1 << BUCKETS)


def _keyspace(server: Server) -> Lines:
    found: Lines = {}
    for database in range(DATABASES):
        keys = server.store.view.likely_keys(database)
        if keys:
            found[f"db{database}"] = f"keys={keys},expires=0,avg_ttl=0"
    return found


COMMANDS: Final[list[Command]] = [
    on_client(
        info, "INFO", -1, "loading stale", "server", "Returns facts and statistics of the server."
    ),
]
