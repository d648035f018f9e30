"""What a snapshot looks like to a program: the reading half of a database, unchanged by writes."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from kveik.engine.reading import Reader
from kveik.engine.shared import Shared
from kveik.engine.snapshot import Snapshot
from kveik.engine.transaction import Transaction
from kveik.engine.view import View
from kveik.errors import ClosedError
from kveik.native import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class FrozenDatabase(Reader):
    """A mapping that never changes. It keeps files alive: close it, or use it in a with block."""

    def __init__(self, shared: Shared, snapshot: Snapshot) -> None:
        super().__init__(shared)
        self._snapshot = snapshot
        self._txn = Transaction(snapshot)

    def check_open(self) -> None:
        self._shared.check_open()
        if not self._snapshot.held:
            raise ClosedError("the snapshot has been closed")

    def _begin(self) -> Transaction:
        self.check_open()
        self._txn.begin(0)
        return self._txn

    def _view(self) -> View:
        self.check_open()
        return self._snapshot.view

    def _stay(self) -> Snapshot:
        self.check_open()
        return self._snapshot.again()

    def close(self) -> None:
        """Let go of what it keeps alive. Idempotent."""
        if self._snapshot.held:
            self._shared.let_go(self._snapshot)

    def __enter__(self) -> FrozenDatabase:
        self.check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._shared.closing or not self._snapshot.held else "open"
        return f"<kveik snapshot of {self._shared.store.disk.path!r}, {state}>"

    def __del__(self) -> None:
        self._snapshot.let_go()  # takes no lock: this may happen anywhere


Mapping.register(FrozenDatabase)
