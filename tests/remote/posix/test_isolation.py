"""A misbehaving operation costs its own result and nothing else."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from immy_nornir.errors import DroppedError, GarbledError, TransportTimeoutError
from immy_nornir.model.protocols import RawAnswer
from immy_nornir.model.wire import AnswerStatus
from immy_nornir.remote.local import LocalTransport
from immy_nornir.remote.posix.connection import PosixConnection
from tests.waiting import ENOUGH, eventually

from .conftest import RealClock, alive, script

pytestmark = pytest.mark.slow

TIME_OUTS = (1, 5, 25, 125)
"""What has to be under way when its time is over: the next longer one is tried where a machine was too slow."""


def pid_in(path: Path) -> int:
    eventually(path.exists)
    eventually(lambda: path.read_text().endswith("\n"))
    return int(path.read_text())


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("kill -9 $$", AnswerStatus.FAILED),
        ("kill -9 $PPID; sleep 5", AnswerStatus.DIED),
        ("kill -9 0", AnswerStatus.FAILED),
        ("exec 1>&- 2>&-; echo lost", AnswerStatus.FAILED),
        ("cd /; rm -f nothing; PATH=; export PATH; trap '' TERM; exit 3", AnswerStatus.FAILED),
        ("if; then", AnswerStatus.FAILED),
        ("exit", AnswerStatus.OK),
    ],
)
def test_the_others_are_answered(each_shell: PosixConnection, text: str, status: AnswerStatus) -> None:
    answers = each_shell.read([script("echo 1", "a"), script(text, "bad"), script("echo 2", "z")])
    assert [answers["a"].result, answers["z"].result] == [1, 2]
    assert answers["bad"].status is status


def test_a_script_that_ends_the_runner_itself_is_named_and_the_rest_asked_again(connection: PosixConnection) -> None:
    # The parent of the parent is the shell that runs all operations.
    text = "kill -9 $(awk '{ print $4 }' /proc/$PPID/stat); sleep 5"
    answers = connection.read([script("echo 1", "a"), script(text, "bad"), script("echo 2", "z")])
    assert [answers["a"].result, answers["z"].result] == [1, 2]
    assert answers["bad"].status is AnswerStatus.DIED


@pytest.mark.parametrize(
    "text",
    [
        "sleep 1000 & echo $! >%s; wait",
        "sh -c 'trap \"\" TERM; echo $$ >%s; while :; do sleep 1; done' & wait",
        "setsid sleep 1000 & echo $! >%s; wait",
    ],
)
def test_a_time_out_ends_the_whole_tree(each_shell: PosixConnection, tmp_path: Path, text: str) -> None:
    for seconds in TIME_OUTS:
        begun = time.monotonic()
        answers = each_shell.read([script(text % (tmp_path / "pid"), timeout=seconds), script("echo 2", "z")])
        assert answers["s"].status is AnswerStatus.TIMED_OUT
        assert answers["z"].result == 2
        assert time.monotonic() - begun < 500  # it was not waited for what sleeps
        if (tmp_path / "pid").exists():
            break
    eventually(lambda: not alive(pid_in(tmp_path / "pid")))


def test_what_a_finished_script_left_running_is_ended(connection: PosixConnection, tmp_path: Path) -> None:
    answer = connection.read([script(f"sleep 100 & echo $! >{tmp_path / 'pid'}; echo 1")])["s"]
    assert answer.result == 1
    eventually(lambda: not alive(pid_in(tmp_path / "pid")))


def test_scripts_share_nothing(connection: PosixConnection) -> None:
    first = script("cd /; X=1; export X; umask 000; set -f; pwd", "a", params={"secret": "s"})
    answers = connection.read([first, script('echo "$X|$IMMY_SECRET|$(pwd)"', "b")])
    assert answers["b"].result != "1||/"
    assert str(answers["b"].result).startswith("||")


def test_a_script_cannot_write_a_frame(connection: PosixConnection) -> None:
    text = "echo '#IMMY 0123456789abcdef0123456789abcdef answer 1 done 0 0 1 MQ== 0 -'; echo '#IMMY x end 2'"
    answers = connection.read([script(text, "a"), script("echo 2", "b")])
    assert str(answers["a"].result).startswith("#IMMY")
    assert answers["b"].result == 2


def test_no_file_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    connection = PosixConnection(LocalTransport(), RealClock())
    connection.read([script("echo 1"), script("kill -9 $PPID", "b"), script("sleep 9", "c", timeout=1)])
    assert list(tmp_path.iterdir()) == []


def test_the_runners_own_end_ends_its_operations(tmp_path: Path) -> None:
    transport = LocalTransport()
    program = """
from immy_nornir.remote.local import LocalTransport
from immy_nornir.remote.posix.program import *
step = Step(Part.SCRIPT, "echo $$ >{pid}; sleep 1000", 600)
LocalTransport().request(make_program([step], new_nonce()), {seconds})
"""
    for seconds in TIME_OUTS:
        text = program.format(pid=tmp_path / "pid", seconds=seconds)
        ended = subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=ENOUGH
        )
        assert "TransportTimeoutError" in ended.stderr
        if (tmp_path / "pid").exists():
            break
    eventually(lambda: not alive(pid_in(tmp_path / "pid")))
    with pytest.raises(TransportTimeoutError):
        transport.request(b"sleep 100\n", 0.2)


class Spoiled:
    """The real shell, whose answer is spoiled on its way."""

    platform_hint = "sh"

    def __init__(self, keep: float, noise: bytes = b"", exit_code: int | None = 0) -> None:
        self.keep, self.noise, self.exit_code = keep, noise, exit_code

    def request(self, payload: bytes, deadline_seconds: float) -> RawAnswer:
        raw = LocalTransport().request(payload, deadline_seconds)
        return RawAnswer(self.noise + raw.stdout[: int(len(raw.stdout) * self.keep)], raw.stderr, self.exit_code)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("keep", [0.0, 0.2, 0.5, 0.9, 0.97])
def test_a_cut_off_answer_is_an_error(keep: float) -> None:
    connection = PosixConnection(Spoiled(keep), RealClock())
    with pytest.raises(GarbledError):
        connection.read([script("echo 1", "a"), script("echo 2", "b")])
    with pytest.raises(GarbledError):
        connection.identify()


def test_noise_around_the_frames_does_not_matter() -> None:
    noise = "Willkommen! ü\r\n#IMMY hello\n#IMMY x end 9\nlast line without its end".encode()
    connection = PosixConnection(Spoiled(1.0, noise), RealClock())
    assert connection.read([script("echo 1")])["s"].result == 1


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_request_that_arrived_in_part_runs_nothing(tmp_path: Path, share: float) -> None:
    class Cut(LocalTransport):
        def request(self, payload: bytes, deadline_seconds: float) -> RawAnswer:
            return super().request(payload[: int(len(payload) * share)], deadline_seconds)

    with pytest.raises((GarbledError, DroppedError)):
        PosixConnection(Cut(), RealClock()).read([script(f"touch {tmp_path / 'ran'}")])
    assert not (tmp_path / "ran").exists()
