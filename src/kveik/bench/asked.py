"""What the command line has parsed, as measurements. Called by `kveik.cli.bench` alone."""

from __future__ import annotations

import argparse
import random
import sys

from kveik.bench import direct, durability, growth, peers, tcp, ycsb_run
from kveik.bench.direct import Direct
from kveik.bench.durability import Durability
from kveik.bench.everything import QUICK, USUAL, compared, measurements
from kveik.bench.growth import SIZES, Growth
from kveik.bench.measurement import Measurement
from kveik.bench.runs import Outputs
from kveik.bench.runs import run as measure
from kveik.bench.screen import EXIT_USAGE
from kveik.bench.servers import BenchError
from kveik.bench.tcp import Tcp
from kveik.bench.ycsb import MIXES
from kveik.bench.ycsb_run import Ycsb

SEEDS = 1 << 32


def run(options: argparse.Namespace, command: str) -> int:
    outputs = Outputs(options.bench, command, options.json, options.report)
    try:
        return measure(MAKERS[options.bench](options), outputs)
    except (BenchError, ValueError) as error:  # nothing was started yet
        print(f"kveik bench: {error}", file=sys.stderr)
        return EXIT_USAGE


def _direct(options: argparse.Namespace) -> list[Measurement]:
    o = options
    return [Direct(direct.Options(o.writes, o.durability, o.rounds, o.memory, o.limit))]


def _tcp(options: argparse.Namespace) -> list[Measurement]:
    return [
        Tcp(
            tcp.Options(
                count=options.writes,
                connections=options.connections,
                pipeline=options.pipeline,
                protocol=options.protocol,
                durability=options.durability,
                keys=options.keys,
                size=options.value_size,
                rounds=options.rounds,
                limit=options.limit,
                processes=options.processes,
                url=options.url,
            )
        )
    ]


def _writes(options: argparse.Namespace) -> list[Measurement]:
    o = options
    sizes = tuple(size for size in SIZES if size <= o.most)
    return [Growth(growth.Options(o.writes, sizes, o.durability, o.rounds, o.memory, o.limit))]


def _durability(options: argparse.Namespace) -> list[Measurement]:
    o = options
    seed = random.randrange(SEEDS) if o.seed is None else o.seed
    return [
        Durability(
            durability.Options(o.writes, o.tests, o.durability, o.connections, o.value_size, seed)
        )
    ]


def _ycsb(options: argparse.Namespace) -> list[Measurement]:
    return [
        Ycsb(
            ycsb_run.Options(
                letters="".join(dict.fromkeys(options.letters)) or "".join(MIXES),
                records=options.records,
                operations=options.operations,
                threads=options.threads,
                durability=options.durability,
                rounds=options.rounds,
                memory=options.memory,
                limit=options.limit,
                served=options.served,
                url=options.url,
            )
        )
    ]


def _peers(options: argparse.Namespace) -> list[Measurement]:
    names = tuple(name.strip() for name in options.peers.split(",") if name.strip()) or peers.PEERS
    unknown = [name for name in names if name not in peers.PEERS]
    if unknown:
        raise ValueError(f"no peer is called {unknown[0]!r}; there are {', '.join(peers.PEERS)}")
    o = options
    chosen = o.only or peers.USUAL
    return compared(
        peers.Options(names, chosen, o.entries, o.rounds, o.memory, o.limit, o.requests)
    )


def _all(options: argparse.Namespace) -> list[Measurement]:
    seed = random.randrange(SEEDS) if options.seed is None else options.seed
    return measurements(QUICK if options.quick else USUAL, seed)


MAKERS = {
    "direct": _direct,
    "tcp": _tcp,
    "writes": _writes,
    "durability": _durability,
    "ycsb": _ycsb,
    "peers": _peers,
    "all": _all,
}
