"""Standard streams that go away, are full, or were never open: the exit code tells of the work all the same."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import ENOUGH, eventually, turns

from .fleets import IMMY, PASSWORD, Fleet, fleet, software_files

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="descriptors are what POSIX has")]

ONE = software_files(("alpha",), ())
BROKEN = {"exits": {"software/alpha": 1603}}
RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")
BARE = {name: os.environ[name] for name in ("HOME", "PATH", "LANG") if name in os.environ}
"""A developer's PYTHONUNBUFFERED would hide what waits in a buffer until Python ends."""
KINDS = ("no reader", "full", "closed")
GONE = {f"{names} {kind}": (names, kind) for names in ("out", "err", "out+err") for kind in KINDS}


@contextlib.contextmanager
def gone(kind: str) -> Iterator[int]:
    """A descriptor that takes nothing."""
    if kind == "no reader":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open("/dev/full", os.O_WRONLY)
    yield writer
    os.close(writer)


def ended(root: Path, arguments: tuple[str, ...], names: str, kind: str) -> tuple[int, str, str]:
    """Exit code and streams of `immy` in a bare environment, with streams that are gone in one way."""
    command = [*IMMY, *arguments]
    streams: dict[str, int] = {}
    with contextlib.ExitStack() as stack:
        if kind == "closed":
            closing = " ".join({"out": "1>&-", "err": "2>&-"}[name] for name in names.split("+"))
            command = ["sh", "-c", f'exec "$@" {closing}', "sh", *command]
        else:
            streams = {name: stack.enter_context(gone(kind)) for name in names.split("+")}
        done = subprocess.run(
            command,
            cwd=root,
            env={**BARE, "IMMY_TEST_PASSWORD": PASSWORD},
            stdin=subprocess.DEVNULL,
            stdout=streams.get("out", subprocess.PIPE),
            stderr=streams.get("err", subprocess.PIPE),
            timeout=ENOUGH,
            check=False,
            text=True,
        )
    return done.returncode, done.stdout or "", done.stderr or ""


def lost(names: str, kind: str) -> int:
    """What output that is lost makes of a 0: a stream that was closed on purpose loses nothing."""
    return {"no reader": 1, "full": 2, "closed": 0}[kind] if "out" in names.split("+") else 0


@pytest.mark.parametrize("how", GONE)
def test_help_and_errors_end_with_the_codes_they_have(tmp_path: Path, how: str) -> None:
    code, out, err = ended(tmp_path, ("--help",), *GONE[how])
    assert code == lost(*GONE[how])
    assert "Exit codes" in out or "out" in how
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    code, out, err = ended(tmp_path, ("nonsense",), *GONE[how])
    assert code == 2
    assert "There is no command 'nonsense'" in err or "err" in how
    assert "Traceback" not in err


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_that_cannot_be_written_is_no_bug(tmp_path: Path, kind: str) -> None:
    with fleet(tmp_path, 1, ONE) as one:
        one.immy(*RUN)
    for command in (("report", "--format", "json"), ("sessions", "list", "--format", "json"), ("schema",)):
        code, _, err = ended(tmp_path, command, "out", kind)
        assert (code, "bug" in err, "Traceback" in err) == (lost("out", kind), False, False), err
        assert "cannot be written" in err or kind != "full"


def test_who_reads_the_first_line_only_sees_no_traceback(tmp_path: Path) -> None:
    command = ["sh", "-c", '{ "$@"; echo $? >code; } | head -n 1', "sh", *IMMY, "schema"]
    done = subprocess.run(command, cwd=tmp_path, env=BARE, capture_output=True, text=True, check=False, timeout=ENOUGH)
    assert (done.stdout, done.stderr) == ("{\n", "")
    assert (tmp_path / "code").read_text() == "1\n"


@pytest.mark.parametrize("how", GONE)
@pytest.mark.sampled(3)
def test_a_run_tells_of_its_sessions_whatever_stream_is_gone(tmp_path: Path, how: str) -> None:
    with fleet(tmp_path, 2, ONE, specs={"pc002": BROKEN}) as one:
        code, _, err = ended(tmp_path, (*RUN, "--limit", "pc001"), *GONE[how])
        assert code == lost(*GONE[how]), err
        code, _, err = ended(tmp_path, (*RUN, "--limit", "pc002"), *GONE[how])
        assert code == 1, err  # what became of the session, whatever became of the output
        assert one.statuses() == {"pc001": "passed", "pc002": "failed"}
        assert not (one.state / "bug.log").exists()


def test_a_reader_that_goes_away_costs_no_session(tmp_path: Path) -> None:
    with fleet(tmp_path, 3, ONE) as one:
        one.lab.hold()
        process = one.start(*RUN, stderr=subprocess.PIPE)
        assert process.stderr is not None
        assert any(b"attempt 1" in line for line in process.stderr)
        process.stderr.close()
        one.lab.release()
        assert process.wait(ENOUGH) == 0
        assert set(one.statuses().values()) == {"passed"}


def test_a_terminal_that_goes_away_costs_no_session(tmp_path: Path) -> None:
    with fleet(tmp_path, 3, ONE) as one:
        one.lab.hold()
        one.environment["TERM"] = "xterm"  # there is no picture on a dumb one
        ours, its = os.openpty()
        process = one.start(*RUN, stderr=its)
        os.close(its)
        seen = b""
        for _ in turns("the picture of `Live`"):
            seen += os.read(ours, 4096) if select.select([ours], [], [], 1)[0] else b""
            if b"0 of 3 computers" in seen:
                break
        eventually(lambda: len(one.lab.events("installer_started")) == 3)
        os.close(ours)
        one.lab.release()
        assert process.wait(ENOUGH) == 0
        assert passed(one)


def passed(one: Fleet) -> bool:
    return set(one.statuses().values()) == {"passed"}


NAME = "Zoë-Łódź-東京-😀"
FEW = {"ascii": ("PYTHONIOENCODING", "ascii"), "C": ("LC_ALL", "C"), "latin-1": ("PYTHONIOENCODING", "latin-1")}
FEW |= {"strict": ("PYTHONIOENCODING", "ascii:strict"), "cp437": ("PYTHONIOENCODING", "cp437")}


@pytest.mark.parametrize("how", FEW)
@pytest.mark.sampled(2)
def test_a_character_that_the_encoding_lacks_is_shown_in_another_way(tmp_path: Path, how: str) -> None:
    files = {
        **ONE,
        "tasks/software/alpha/software.yml": f"winget: Vendor.alpha\ntitle: {NAME}\n",
        "playbooks/all.yml": f"- {{name: '{NAME}', hosts: tenants, maintenance: full, options: {{offline: skip}}}}\n",
    }
    (tmp_path / NAME).mkdir()
    with fleet(tmp_path / NAME, 1, files, variables={"pc001": {"note": "Zoë-東京"}}) as one:
        name, value = FEW[how]
        one.environment = {name: value, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        for command in (
            RUN,
            ("run", "playbooks/all.yml", "--check", "-v"),
            ("sessions", "list"),
            ("sessions", "show", "pc001"),
            ("sessions", "log", "pc001"),
            ("report", "--format", "markdown"),
            ("report", "--format", "html"),
            ("inventory", "show", "pc001"),
            ("explain", "pc001", "software/alpha"),
            ("lint",),
            ("sessions", "resume"),
        ):
            done = bare(one, command)
            assert done.returncode == 0, (command, done.stderr)
            assert b"Traceback" not in done.stderr
        assert bare(one, (*RUN, "--on", NAME)).returncode == 2
        assert bare(one, ("sessions", "show", NAME)).returncode == 2
        assert bare(one, (*RUN, "--on", b"pc\xff\xfe")).returncode == 2  # type: ignore[arg-type]
        assert not (one.state / "bug.log").exists()
        assert one.statuses() == {"pc001": "passed"}


def bare(one: Fleet, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[bytes]:
    environment = {**BARE, "IMMY_TEST_PASSWORD": PASSWORD, **one.environment}
    return subprocess.run(
        [*IMMY, *arguments],
        cwd=one.root,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=ENOUGH,
        check=False,
    )


@pytest.mark.parametrize("how", [*GONE, "in closed"])
@pytest.mark.sampled(4)
def test_a_command_that_did_nothing_leaves_no_session(tmp_path: Path, how: str) -> None:
    with fleet(tmp_path, 1, ONE) as one:
        names, kind = GONE.get(how, ("in", "closed"))
        for command in (("run", "playbooks/all.yml"), (*RUN, "--limit", "nobody"), (*RUN, "-o", "what=ever")):
            if names == "in":
                words = ["sh", "-c", 'exec "$@" <&-', "sh", *IMMY, *command]
                code = subprocess.run(
                    words, cwd=tmp_path, env=BARE, capture_output=True, check=False, timeout=ENOUGH
                ).returncode
            else:
                code, _, _ = ended(tmp_path, command, names, kind)
            assert code == 2
        assert not (one.state / "history.db").exists() or one.sessions() == []
        assert one.lab.events("installer_started") == []


def test_a_summary_that_cannot_be_written_leaves_the_code_of_the_run(tmp_path: Path) -> None:
    with fleet(tmp_path, 2, ONE, specs={"pc002": {"misbehave": ("off",)}}):
        for kind in ("no reader", "full"):
            code, _, err = ended(tmp_path, (*RUN, "--format", "json"), "out", kind)
            assert (code, "Traceback" in err) == (6, False), err


def test_a_folder_that_is_gone_is_no_bug(tmp_path: Path) -> None:
    gone_folder = tmp_path / "gone"
    gone_folder.mkdir()
    command = ["sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh", *IMMY, "sessions", "list"]
    done = subprocess.run(
        command, cwd=gone_folder, env=BARE, capture_output=True, text=True, check=False, timeout=ENOUGH
    )
    assert done.returncode == 2
    assert "the current folder cannot be used" in done.stderr
