"""SLOWLOG and LATENCY: what took long; MEMORY: what is in memory. Called through the registry."""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import integer, wrong_member
from kveik.command.command import Command, family, member, on_client, on_data
from kveik.command.measures import BUCKETS
from kveik.command.objects import usage
from kveik.command.state import Client, Server
from kveik.errors import CommandError
from kveik.limits import DATABASES
from kveik.model import OK, Verbatim

USUAL: Final = 10  # slow commands that SLOWLOG GET shows unless told how many


def slowlog_get(client: Client, args: list[bytes]) -> object:
    """SLOWLOG GET [count]: the newest first; -1 for all."""
    if len(args) > 3:
        raise CommandError(wrong_member("SLOWLOG", args))
    count = USUAL if len(args) == 2 else _count(args[2])
    newest = client.server.measures.slow[::-1]
    chosen = newest if count == -1 else newest[:count]
    return [
        [one.number, one.at, one.usec, list(one.args), one.address.encode(), one.name]
        for one in chosen
    ]


def _count(text: bytes) -> int:
    try:
        count = integer(text)
    except CommandError:
        count = -2
    if count < -1:
        raise CommandError("ERR count should be greater than or equal to -1")
    return count


def slowlog_len(client: Client, args: list[bytes]) -> object:
    return len(client.server.measures.slow)


def slowlog_reset(client: Client, args: list[bytes]) -> object:
    client.server.measures.slow = []
    return OK


def latest(client: Client, args: list[bytes]) -> object:
    """The latest slow moment of each kind."""
    found: list[object] = []
    for kind, moments in client.server.measures.latencies.items():
        at, milliseconds = moments.samples[-1]
        found.append([kind.encode(), at, milliseconds, moments.worst])
    return found


def history(client: Client, args: list[bytes]) -> object:
    moments = client.server.measures.latencies.get(args[2].decode("utf-8", "replace"))
    return [] if moments is None else [[at, worst] for at, worst in moments.samples]


def latency_reset(client: Client, args: list[bytes]) -> object:
    latencies = client.server.measures.latencies
    names = [name.decode("utf-8", "replace") for name in args[2:]] or list(latencies)
    return len([name for name in names if latencies.pop(name, None) is not None])


def latency_doctor(client: Client, args: list[bytes]) -> object:
    measures = client.server.measures
    if measures.latency_time == 0:
        return Verbatim(
            "Slow moments are not watched for: CONFIG SET latency-monitor-threshold <milliseconds>."
        )
    if not measures.latencies:
        return Verbatim(f"Nothing took {measures.latency_time} milliseconds or longer.")
    lines = [
        f"{kind}: {len(moments.samples)} seconds with a slow one, the worst took "
        f"{moments.worst} milliseconds."
        for kind, moments in measures.latencies.items()
    ]
    return Verbatim("\n".join(lines))


def histogram(client: Client, args: list[bytes]) -> object:
    """LATENCY HISTOGRAM [command ...]: calls that took at most so many microseconds."""
    known = client.server.measures.calls
    names = [name.decode("utf-8", "replace").lower() for name in args[2:]] or list(known)
    found: dict[object, object] = {}
    for name in names:
        calls = known.get(name)
        if calls is None or sum(calls.buckets) == 0:
            continue
        steps: dict[object, object] = {}
        count = 0
        for at in range(BUCKETS):
            if calls.buckets[at] > 0:
                count += calls.buckets[at]
                steps[1 << at] = count
        found[name.encode()] = {b"calls": calls.calls, b"histogram_usec": steps}
    return found


# --- MEMORY -------------------------------------------------------------------------------------


def memory_stats(client: Client, args: list[bytes]) -> object:
    server = client.server
    keys = _keys(server)
    return {
        b"peak.allocated": server.peak_memory,
        b"total.allocated": server.used_memory,
        b"keys.count": keys,
        b"keys.bytes-per-key": server.used_memory // keys if keys else 0,
        b"kveik.queued.bytes": server.queued,
    }


def _keys(server: Server) -> int:
    view = server.store.view
    return sum([view.likely_keys(database) for database in range(DATABASES)])


def memory_doctor(client: Client, args: list[bytes]) -> object:
    return Verbatim("Memory is bounded by --memory; there is nothing to be tuned.")


def memory_purge(client: Client, args: list[bytes]) -> object:
    return OK


def malloc_stats(client: Client, args: list[bytes]) -> object:
    return Verbatim("The allocator is Python's, which keeps no statistics for others.")


_GROUP: Final = "server"
_FLAGS: Final = "admin loading stale"
_LATENCY: Final = "admin noscript loading stale"

COMMANDS: Final[list[Command]] = [
    family(
        "LATENCY",
        _GROUP,
        "A container for latency diagnostics commands.",
        [
            member(
                on_client(
                    latency_doctor, "LATENCY|DOCTOR", 2, _LATENCY, _GROUP, "Sums up slow moments."
                ),
                "",
            ),
            member(
                on_client(
                    histogram,
                    "LATENCY|HISTOGRAM",
                    -2,
                    _LATENCY,
                    _GROUP,
                    "Returns how long commands took.",
                ),
                "[<command> ...]",
            ),
            member(
                on_client(
                    history,
                    "LATENCY|HISTORY",
                    3,
                    _LATENCY,
                    _GROUP,
                    "Returns the slow moments of one kind.",
                ),
                "<event>",
            ),
            member(
                on_client(
                    latest,
                    "LATENCY|LATEST",
                    2,
                    _LATENCY,
                    _GROUP,
                    "Returns the latest slow moment of each kind.",
                ),
                "",
            ),
            member(
                on_client(
                    latency_reset, "LATENCY|RESET", -2, _LATENCY, _GROUP, "Forgets slow moments."
                ),
                "[<event> ...]",
            ),
        ],
        "2.8.13",
    ),
    family(
        "MEMORY",
        _GROUP,
        "A container for memory diagnostics commands.",
        [
            member(
                on_client(memory_doctor, "MEMORY|DOCTOR", 2, "", _GROUP, "Looks for problems."), ""
            ),
            member(
                on_client(
                    malloc_stats, "MEMORY|MALLOC-STATS", 2, "", _GROUP, "Says that there are none."
                ),
                "",
            ),
            member(
                on_client(memory_purge, "MEMORY|PURGE", 2, "", _GROUP, "Accepted: does nothing."),
                "",
            ),
            member(
                on_client(memory_stats, "MEMORY|STATS", 2, "", _GROUP, "Returns how much is used."),
                "",
            ),
            member(
                on_data(
                    usage,
                    "MEMORY|USAGE",
                    -3,
                    "readonly",
                    _GROUP,
                    "Returns about how many bytes of memory a key and its value take.",
                    (2, 2, 1),
                ),
                "<key> [SAMPLES <count>]",
            ),
        ],
        "4.0.0",
    ),
    family(
        "SLOWLOG",
        _GROUP,
        "A container for slow log commands.",
        [
            member(
                on_client(
                    slowlog_get, "SLOWLOG|GET", -2, _FLAGS, _GROUP, "Returns the slow commands."
                ),
                "[<count>]",
            ),
            member(
                on_client(
                    slowlog_len, "SLOWLOG|LEN", 2, _FLAGS, _GROUP, "Returns how many there are."
                ),
                "",
            ),
            member(
                on_client(
                    slowlog_reset, "SLOWLOG|RESET", 2, _FLAGS, _GROUP, "Forgets slow commands."
                ),
                "",
            ),
        ],
        "2.2.12",
    ),
]
