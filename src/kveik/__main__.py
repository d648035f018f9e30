"""`python -m kveik` is `kveik`."""

from __future__ import annotations

import sys

from kveik.cli.main import main

sys.exit(main())
