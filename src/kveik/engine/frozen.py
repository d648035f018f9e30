"""What a snapshot looks like to a program: the reading half of a database, unchanged by writes."""

from __future__ import annotations

from types import TracebackType

from kveik.engine.reading import Reader
from kveik.engine.shared import Shared
from kveik.engine.snapshot import Snapshot
from kveik.engine.transaction import Transaction
from kveik.errors import ClosedError
from kveik.native import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class FrozenDatabase(Reader):
    """A mapping that never changes. It keeps files alive: close it, or use it in a with block."""

    def __init__(self, shared: Shared, snapshot: Snapshot) -> None:
        super().__init__(shared)
        self._snapshot = snapshot
        self._txn = Transaction(snapshot)

    def shared(self) -> Shared:
        """The database that it is a snapshot of."""
        return self._shared

    def held(self) -> Snapshot:
        """The engine's snapshot; ClosedError once it has been let go of."""
        if not self._snapshot.held:
            raise ClosedError("the snapshot has been closed")
        return self._snapshot

    def _begin(self) -> Transaction:
        self._shared.check_open()
        self.held()
        self._txn.begin(0)
        return self._txn

    def _keep(self) -> Snapshot | None:
        return None  # it is kept by this very snapshot

    def _source(self) -> Snapshot | None:
        return self._snapshot

    def close(self) -> None:
        """Let go of what it keeps alive. Idempotent."""
        self._snapshot.let_go()

    def __enter__(self) -> FrozenDatabase:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
