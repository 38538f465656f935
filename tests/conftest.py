"""What all tests share: where the tools are, and guards against touching what is not the test's."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.powershell import PWSH, is_behind
from tests.samples import left_out
from tests.warm import COLD

# How long an example takes, or is in the making, says something about the machine and nothing about us.
_ANY_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("sample", _ANY_MACHINE, max_examples=25)
settings.register_profile("full counts", _ANY_MACHINE, max_examples=200)
settings.load_profile("sample")

ROOT = Path(__file__).resolve().parent.parent
SOAK_SECONDS = 4 * 3600

# An operator's Python buffers its streams; a developer's setting would hide what that does to the processes of tests.
os.environ.pop("PYTHONUNBUFFERED", None)
# What is compiled once need not be compiled by each worker and each process that a test starts.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Everything that tests talk to is on this machine; and requests changes what the environment says of proxies for
# moments, over which threads of other clients stumble.
for _scheme in ("http", "https", "all", "no"):
    for _name in (f"{_scheme}_proxy", f"{_scheme}_proxy".upper()):
        os.environ.pop(_name, None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--soak` runs full counts."""
    parser.addoption("--soak", action="store_true", help="run the full counts of kills, matrices and fuzzing")


def pytest_configure(config: pytest.Config) -> None:
    """With full counts every process starts from nothing, as an operator's does."""
    if config.getoption("--soak"):
        os.environ[COLD] = "1"
        settings.load_profile("full counts")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Full counts run only when asked for, and may take hours then; what uses a PowerShell is marked so."""
    asked = config.getoption("--soak")
    mark = pytest.mark.timeout(SOAK_SECONDS) if asked else pytest.mark.skip(reason="full counts: make soak")
    for item in left_out(items):
        item.add_marker(pytest.mark.soak)
    for item in items:
        if "soak" in item.keywords:
            item.add_marker(mark)
        module = item.getparent(pytest.Module)
        if "powershell" in getattr(item, "fixturenames", ()) or (module is not None and is_behind(module.obj)):
            item.add_marker(pytest.mark.pwsh)
    slow = {item.path for item in items if "slow" in item.keywords}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def powershell() -> str:
    """A PowerShell, or a skip with the reason."""
    found = PWSH or shutil.which("pwsh")
    if not found:
        pytest.skip("no PowerShell: set IMMY_PWSH or put pwsh on the PATH")
    return found


@pytest.fixture(scope="session")
def immy() -> list[str]:
    """The command line of immy, as a process of its own."""
    return [sys.executable, "-m", "immy_nornir"]
