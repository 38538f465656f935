"""Connections to this very machine, each with a spool of its own; real shells, real processes."""

from __future__ import annotations

import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from immy_nornir.model.items import Language
from immy_nornir.model.protocols import Address
from immy_nornir.model.values import Json, SecretRef
from immy_nornir.model.wire import JobSpec, Read, ReadOperation
from immy_nornir.remote import local
from immy_nornir.remote.posix.connection import PosixConnection

collect_ignore_glob = ["test_*.py"] if sys.platform == "win32" else []

SIGKILL = 9

if sys.platform == "win32":
    ROOT = False
else:
    ROOT = os.geteuid() == 0

SHELLS = {"sh": ("sh",), "dash": ("dash",), "bash": ("bash", "--posix"), "busybox": ("busybox", "sh")}


class RealClock:
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)


class NoSecrets:
    def reveal(self, reference: SecretRef) -> str:
        raise AssertionError(f"nobody asked for {reference}")


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def connection(spool: Path) -> Iterator[PosixConnection]:
    made = local.connect(address(spool), NoSecrets(), RealClock())
    yield made
    made.close()


@pytest.fixture(params=list(SHELLS))
def each_shell(request: pytest.FixtureRequest, spool: Path) -> PosixConnection:
    """The same connection over every shell that is here."""
    command = SHELLS[request.param]
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]}")
    return PosixConnection(local.LocalTransport(command), RealClock(), spool=str(spool))


def address(spool: Path, **settings: Json) -> Address:
    return Address("here", "local", "localhost", 0, settings={"immy_spool": str(spool), **settings})


def script(
    text: str,
    name: str = "s",
    timeout: float = 20,
    purpose: str = "get",
    params: dict[str, Json] | None = None,
) -> ReadOperation:
    """A script operation."""
    about: dict[str, Json] = {"params": params or {}, "purpose": purpose, "item": "task/x"}
    return ReadOperation(name, Read.SCRIPT, about, text, Language.SH, timeout)


def job(text: str, **more: object) -> JobSpec:
    """A script job with an id of its own."""
    return job_of("script", {"script": text, "language": "sh", "params": more.pop("params", {})}, **more)


def job_of(kind: str, work: Mapping[str, object], **more: object) -> JobSpec:
    fields: dict[str, object] = {"job_id": f"s-1/a/{uuid.uuid4().hex[:8]}", "kind": kind, "work": work, **more}
    return JobSpec(**fields)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
