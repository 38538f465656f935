"""The one door to a PowerShell: what does not come through it sees none, whether `IMMY_PWSH` names one or not.

So a test without the marker `pwsh` does the same with a PowerShell and without, and is run only once by `.ci/run`.
`tests/conftest.py` marks what comes through here; `tests/test_habits.py` keeps others from the variable.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

import pytest

_HANDED_ON = "_IMMY_TESTS_PWSH"
"""To the workers of the test process, under a name that nobody else reads."""
PWSH = os.environ.pop("IMMY_PWSH", "") or os.environ.get(_HANDED_ON, "")
os.environ[_HANDED_ON] = PWSH

needs_pwsh = pytest.mark.skipif(not PWSH, reason="IMMY_PWSH names no PowerShell")


def is_behind(module: ModuleType) -> bool:
    """Whether a module took something from here, or from a module that did."""
    sources = {getattr(value, "__module__", None) for value in vars(module).values()}
    return any("PWSH" in vars(one) or "needs_pwsh" in vars(one) for one in (module, *_loaded(sources)))


def _loaded(names: set[object]) -> list[ModuleType]:
    return [sys.modules[name] for name in names if isinstance(name, str) and name.startswith("tests.")]
