"""`kveik` on asyncio's own event loop, as where uvloop is not installed."""

from __future__ import annotations

import sys
from typing import Any, cast

cast("dict[str, Any]", sys.modules)["uvloop"] = None

from kveik.cli.main import main  # noqa: E402

sys.exit(main())
