"""What `immy doctor` asks computers runs on the real PowerShell in both editions, and in every `sh` that is here."""

from __future__ import annotations

import fcntl
import os
import subprocess
import threading
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.model.health import Health, Line
from immy_nornir.model.items import Language
from immy_nornir.model.protocols import Address, Connection
from immy_nornir.model.wire import AnswerStatus, Read, ReadOperation
from immy_nornir.remote.doctor import examine as examining
from immy_nornir.remote.doctor.crowd import look_over
from immy_nornir.remote.posix.connection import PosixConnection
from tests.powershell import PWSH, needs_pwsh
from tests.remote.posix.conftest import RealClock, each_shell, spool
from tests.remote.windows.conftest import edition
from tests.remote.windows.processes import Machine
from tests.waiting import ENOUGH

__all__ = ["each_shell", "edition", "spool"]
SCRIPTS = Path(str(resources.files("immy_nornir.remote.doctor"))) / "scripts"
INSTALLER = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Installer\InProgress"


class NoSecrets:
    def reveal(self, reference: object) -> str:
        raise AssertionError(f"nobody asked for {reference}")


def lines(connection: Connection, kind: str, **settings: Any) -> dict[str, Line]:
    """The lines of a computer behind an open connection, as if its way had been looked at."""
    address = Address("pc", kind, "pc", 0, "ann", settings=settings)
    around = examining.Surroundings(lambda _: connection, NoSecrets(), RealClock())
    return {one.check: one for one in examining._inside(address, {}, around, None)}


@needs_pwsh
@pytest.mark.slow
def test_a_windows_computer_says_what_it_can_in_both_editions(tmp_path: Path, edition: str) -> None:
    registry = {"HKLM": {INSTALLER: {"": r"C:\Windows\Installer\inprogress.ipi"}}}
    machine = Machine(tmp_path, edition, registry)
    (tmp_path / "spool" / "left").mkdir()
    done = tmp_path / "spool" / "done"
    done.mkdir()
    (done / "result").write_text("{}")
    found = lines(machine.connection(), "winrm")
    assert "probe" not in found, found
    assert found["shell"].health is Health.OK
    assert found["shell"].found.startswith("PowerShell 5.1" if edition else "PowerShell 7")
    assert "1 jobs without a result" in found["spool"].found
    assert "inprogress.ipi" in found["packages"].found
    # Neither WSMan nor Windows' users are here: what cannot be read costs its own line.
    assert found["rights"].health is Health.WARNING
    assert "cannot be read" in found["limits"].found
    assert found["login"].found == "as ann"


def test_the_windows_probe_is_ascii() -> None:
    assert (SCRIPTS / "windows.ps1").read_text("utf-8").isascii()


@needs_pwsh
def test_the_windows_probe_fits_windows_powershell() -> None:
    command = [PWSH, "-Check51", str(SCRIPTS / "windows.ps1")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ENOUGH)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_pwsh
@pytest.mark.slow
def test_a_constrained_powershell_is_named(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "5.1")
    found = lines(machine.connection(PWSH_LANGUAGE_MODE="ConstrainedLanguage"), "winrm")
    assert found["shell"].health is Health.PROBLEM
    assert "ConstrainedLanguage" in found["shell"].found
    assert "application control" in found["shell"].advice


def test_a_posix_computer_says_what_it_can_in_every_shell(each_shell: PosixConnection, spool: Path) -> None:
    (spool / "left").mkdir(parents=True)
    (spool / "left" / "spec.json").write_text("{}")
    found = lines(each_shell, "local", immy_spool=str(spool))
    assert "probe" not in found, found
    assert found["shell"].health is Health.OK
    assert found["rights"].health is Health.OK or os.geteuid()
    assert f"{spool}, " in found["spool"].found
    assert "1 jobs without a result" in found["spool"].found


def told(connection: PosixConnection, **params: Any) -> dict[str, str]:
    about: dict[str, Any] = {"purpose": "doctor", "item": "doctor", "params": params}
    text = (SCRIPTS / "posix.sh").read_text("utf-8")
    answer = connection.read([ReadOperation("x", Read.SCRIPT, about, text, Language.SH, 30)])["x"]
    assert answer.status is AnswerStatus.OK, answer
    assert isinstance(answer.result, str)
    return dict(line.split("\t", 1) for line in answer.result.splitlines())


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux tells who holds a lock")
def test_who_holds_the_lock_of_a_package_manager_is_named(each_shell: PosixConnection, tmp_path: Path) -> None:
    lock, pids, dead = tmp_path / "lock-frontend", tmp_path / "yum.pid", tmp_path / "dnf.pid"
    lock.touch()
    pids.write_text(f"{os.getpid()}\n")
    dead.write_text("4000000000\n")
    asked = {"locks": str(lock), "pids": f"{pids} {dead} {tmp_path}/none"}
    with lock.open("w") as held:
        fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as dpkg does it
        said = told(each_shell, **asked)["locks"]
    who = f"(process {os.getpid()})"
    assert said.split("; ") == [one for one in said.split("; ") if who in one]
    assert [one.partition(" is held by ")[0] for one in said.split("; ")] == [str(lock), str(pids)]
    assert "locks" not in told(each_shell, locks=str(lock), pids=str(dead))


def test_a_spool_that_is_not_ours_is_told_and_none_is_made(each_shell: PosixConnection, tmp_path: Path) -> None:
    place = tmp_path / "not" / "there" / "spool"
    said = told(each_shell, place=str(place))
    assert (said["spool"], said["spool_can"], said["open_jobs"]) == (str(place), "yes", "0")
    assert not (tmp_path / "not").exists()
    assert told(each_shell, place="/proc/1/spool")["spool_can"] == "no"


def test_a_computer_that_hangs_costs_itself_and_what_it_told_is_kept() -> None:
    never = threading.Event()

    def hangs() -> Any:
        yield Line("name", Health.OK, "there")
        never.wait(ENOUGH)

    def breaks() -> Any:
        raise RuntimeError("a bug")

    looks = {"hangs": hangs, "breaks": breaks, **{f"pc{n}": lambda: [Line("name", Health.OK, "x")] for n in range(20)}}
    found = dict(look_over(looks, 2, 0.3, RealClock()))
    never.set()
    assert set(found) == set(looks)
    assert [one.check for one in found["hangs"]] == ["name", "answer"]
    assert found["hangs"][-1].health is Health.PROBLEM
    assert found["breaks"][0].found == "crashed: RuntimeError: a bug"
