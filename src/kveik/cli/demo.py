"""`kveik demo`: every operation of the JSON lines protocol against a server, shown as it goes."""

from __future__ import annotations

import argparse
import json
import secrets

from kveik.client.jsonlines import KVDBClient
from kveik.errors import ServerError
from kveik.server.config import DEFAULT_PORT


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "demo",
        help="run every operation against a server and show what it does",
        description="Run every operation of the JSON lines protocol against a running server. It "
        "works under a key prefix of its own and removes what it wrote.",
    )
    parser.add_argument("--host", default="localhost", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="default: %(default)s")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    with KVDBClient(options.host, options.port) as client:
        print(f"a demo against {options.host}:{options.port}")
        Demo(client).run()
    return 0


class Demo:
    def __init__(self, client: KVDBClient) -> None:
        self._client = client
        self._prefix = f"demo:{secrets.token_hex(3)}:"

    def run(self) -> None:
        client, prefix = self._client, self._prefix
        ada = {"name": "Ada", "born": 1815}
        keys = [f"{prefix}{name}" for name in ("apple", "banana", "cherry")]
        self._show("put a value (any JSON)", "put", f"{prefix}ada", ada)
        self._show("read it", "read", f"{prefix}ada")
        self._show("read a key that is not there", "read", f"{prefix}nobody")
        self._show("put a batch: all of it or none", "batch_put", keys, [1, 2.5, ["three"]])
        self._show("read a range, both ends included", "read_key_range", keys[0], keys[1])
        self._show("overwrite", "put", keys[0], "one")
        self._show("read what was overwritten", "read", keys[0])
        self._show("delete", "delete", keys[0])
        self._show("delete it again", "delete", keys[0])
        print("\na request that cannot be:")
        try:
            client.batch_put([f"{prefix}x"], [])
        except ServerError as error:
            print(f"  the server says: {error}")
        for key in (f"{prefix}ada", *keys):
            client.delete(key)
        print(f"\ndone; nothing is left under {prefix!r}")

    def _show(self, what: str, operation: str, *arguments: object) -> None:
        result = getattr(self._client, operation)(*arguments)
        shown = ", ".join(json.dumps(argument) for argument in arguments)
        print(f"\n{what}:\n  {operation}({shown})\n  -> {json.dumps(result)}")
