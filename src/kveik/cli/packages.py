"""Packages that single sub-commands need. The server and its tools need none."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from kveik.errors import UseError


class MissingPackage(UseError):
    """A package is not installed that what was called needs."""


def need(module: str, package: str) -> Any:
    """A module of another package; MissingPackage says what to install."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        text = f"this needs the package {package}, which is not installed: pip install {package}"
        raise MissingPackage(text) from None
