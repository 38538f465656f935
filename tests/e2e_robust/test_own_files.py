"""What immy writes: for its own user only, never through a link, in folders of any name, whose rights stay."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import ENOUGH, eventually

from .fleets import IMMY, PASSWORD, Fleet, fleet, kill, software_files

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="rights are what POSIX has")]
RUN = ("run", "playbooks/all.yml", "--yes")
ONE = software_files(("alpha",), ())
NAMES = [
    "a # hash", "what?", "100%25 %41", "with 'quotes' \"double\"", "Zoë 東京",
    "semi;colon & $HOME", "[brackets] {{ x }}", "back\\slash", "new\nline", "?mode=memory#x",
]  # fmt: skip


def rights(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


def with_umask(one: Fleet, umask: str, *arguments: str, expect: int = 0) -> None:
    done = subprocess.run(
        ["sh", "-c", f'umask {umask}; exec "$@"', "sh", *IMMY, *arguments],
        cwd=one.root,
        env={**os.environ, "IMMY_TEST_PASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        timeout=ENOUGH,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == expect, done.stderr


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.sampled(3)
def test_folders_may_have_any_name(tmp_path: Path, name: str) -> None:
    with fleet(tmp_path / name / "fleet", 1, ONE) as one:
        state = tmp_path / name / "state"
        for more in ((), ("--state", str(state))):
            one.immy(*more, *RUN)
            assert '"status": "passed"' in one.immy(*more, "sessions", "list", "--format", "json")
            one.immy(*more, "sessions", "resume")
            one.immy(*more, "report")
            one.immy(*more, "explain", "pc001", "software/alpha")
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == ["fleet", "state"]
        assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_name_that_is_no_text_is_a_name(tmp_path: Path) -> None:
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe"))
    with fleet(root, 1, ONE) as one:
        one.immy(*RUN)
        assert one.statuses() == {"pc001": "passed"}
        one.immy("report")


@pytest.mark.parametrize("umask", ["000", "022", "077", "777"])
@pytest.mark.sampled(2)
def test_what_immy_writes_is_for_its_user_under_any_umask(tmp_path: Path, umask: str) -> None:
    with fleet(tmp_path, 1, ONE) as one:
        state = tmp_path / "new" / "folder" / "state"
        with_umask(one, umask, "--state", str(state), *RUN)
        one.immy("--state", str(state), "sessions", "list")
        for path in [tmp_path / "new", *(tmp_path / "new").rglob("*")]:
            assert rights(path) == ("0o700" if path.is_dir() else "0o600"), path


def test_files_beside_a_history_at_work_are_for_its_user_too(tmp_path: Path) -> None:
    with fleet(tmp_path, 1, ONE) as one:
        one.lab.hold()
        process = one.start(*RUN, preexec_fn=lambda: os.umask(0))
        eventually(lambda: one.lab.events("installer_started"))
        found = {path.name.split("-")[-1].split(".")[-1] for path in one.state.rglob("*") if path.is_file()}
        assert {"db", "wal", "shm", "lock"} <= found
        assert {rights(path) for path in one.state.rglob("*") if path.is_file()} == {"0o600"}
        kill(process)


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o777])
def test_a_folder_that_was_there_keeps_its_rights(tmp_path: Path, mode: int) -> None:
    with fleet(tmp_path, 1, ONE) as one:
        state = tmp_path / "ours"
        state.mkdir()
        state.chmod(mode)
        one.immy("--state", str(state), *RUN)
        assert rights(state) == oct(mode)
        assert rights(state / "history.db") == "0o600"
        assert rights(state / "reports") == "0o700"


LINKS = ("history.db", "history.db-wal", "history.db-shm", "owners", "opening.lock")


@pytest.mark.parametrize("name", LINKS)
@pytest.mark.parametrize("dangling", [False, True], ids=["", "dangling"])
@pytest.mark.sampled
def test_a_planted_link_is_refused_and_nothing_is_written_through_it(tmp_path: Path, name: str, dangling: bool) -> None:
    with fleet(tmp_path / "fleet", 1, ONE) as one:
        one.state.mkdir()
        target = tmp_path / "target"
        if not dangling and name == "owners":
            target.mkdir()
        elif not dangling:
            target.write_text("precious")
        (one.state / name).symlink_to(target)
        one.immy(*RUN, expect=2)
        assert f"{one.state / name} is a link" in one.said
        assert "remove the link" in one.said
        assert target.exists() != dangling
        assert dangling or (list(target.iterdir()) == [] if target.is_dir() else target.read_text() == "precious")
        assert not one.lab.events("installer_started")


@pytest.mark.parametrize("name", ["reports", "reports/RUN.html"])
def test_a_report_is_not_written_through_a_link_and_the_run_says_so(tmp_path: Path, name: str) -> None:
    with fleet(tmp_path / "fleet", 1, ONE) as one:
        one.lab.hold()
        process = one.start(*RUN)
        eventually(lambda: one.lab.events("installer_started"))
        [run] = one.sql("SELECT id FROM runs")
        target = tmp_path / "target"
        planted = one.state / name.replace("RUN", run[0])
        planted.parent.mkdir(exist_ok=True)
        if name == "reports":
            target.mkdir()
        else:
            target.write_text("precious")
        planted.symlink_to(target)
        one.lab.release()
        assert process.wait(ENOUGH) == 0
        assert "is a link" in (one.root / "err-0.txt").read_text()
        assert list(target.iterdir()) == [] if target.is_dir() else target.read_text() == "precious"


def test_a_journal_that_is_a_link_is_left_and_named(tmp_path: Path) -> None:
    with fleet(tmp_path / "fleet", 1, ONE) as one:
        one.state.mkdir()
        target = tmp_path / "target"
        target.write_text("precious")
        (one.state / "journal-x.jsonl").symlink_to(target)
        one.immy(*RUN)
        assert "is a link" in one.said
        assert target.read_text() == "precious"
        assert (one.state / "journal-x.jsonl").is_symlink()
