"""Imports the package without what only its LLM mode, tables and reports need.

Most of the package's start-up time goes into `litellm`, `pandas` and `deepdiff`. In solo mode none
of them is ever used, so an empty stand-in takes their place and refuses if somebody does call it.
"""

import importlib.abc
import importlib.machinery
import sys
from types import ModuleType
from typing import Any

UNUSED = ("litellm", "pandas", "deepdiff")


def install() -> None:
    """Puts the stand-ins in place; before the package is imported."""
    sys.meta_path.insert(0, _Finder())


class _Absent(ModuleType):
    """A package that is not there: its classes exist, for annotations, its functions refuse."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {"__init__": _refuse}) if name[0].isupper() else _refuse


def _refuse(*_: Any, **__: Any) -> None:
    raise RuntimeError("solo mode runs without this package; TAU2_MODE=llm loads it")


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds an `_Absent` for the packages of UNUSED and everything in them."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name.partition(".")[0] not in UNUSED:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: Any) -> ModuleType:
        return _Absent(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        module.disable_cache = lambda: None  # the one function that the package calls on import
