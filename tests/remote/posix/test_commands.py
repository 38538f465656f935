"""Commands that somebody typed, over every shell that is here: their words arrive as they are, whatever they hold."""

from __future__ import annotations

import json
import sys

import pytest

from immy_nornir.errors import DeclinedError
from immy_nornir.model.values import Json
from immy_nornir.model.wire import JobState, JobStatus
from immy_nornir.remote.posix.connection import PosixConnection
from tests.waiting import turns

from .conftest import job_of

WORDS = ["a b", "", 'say "hi" \\', "it's", "$HOME `x` $(1)", "a&b|c;d>e", "x\ny", "ends\n", "ü 日本", "-n", "*", "a=b"]
TELL = (
    "import json, os, sys; print(json.dumps([sys.argv[1:], [n for n in os.environ if 'IMMY_WORD' in n]])); sys.exit(3)"
)


def _run(connection: PosixConnection, work: dict[str, Json]) -> tuple[int | None, str]:
    spec = job_of("command", {"script": None, "language": "sh", "shell": "sh", **work})
    status: JobStatus = connection.start_job(spec, 20)
    for _ in turns("the command's end"):
        if status.state not in (JobState.STARTING, JobState.RUNNING):
            break
        status = connection.wait_job(spec.job_id, 0, 20)
    assert status.result is not None, status
    return status.result.exit_code, status.output


def test_a_program_gets_its_words_as_they_were_typed(each_shell: PosixConnection) -> None:
    code, said = _run(each_shell, {"words": [sys.executable, "-c", TELL, *WORDS]})
    assert (code, json.loads(said)) == (3, [WORDS, []])


def test_a_script_gets_its_words_and_its_own_interpreter(each_shell: PosixConnection) -> None:
    words: list[Json] = [*WORDS]
    code, said = _run(each_shell, {"script": 'printf "<%s>" "$#" "$@"\nexit 4\n', "words": words})
    assert (code, said) == (4, "".join(f"<{one}>" for one in [str(len(WORDS)), *WORDS]))
    code, said = _run(each_shell, {"script": f"#!{sys.executable}\n{TELL}", "words": ["one", "two three"]})
    assert (code, json.loads(said)) == (3, [["one", "two three"], []])


def test_a_line_is_a_script_of_the_shell(connection: PosixConnection) -> None:
    assert _run(connection, {"words": ["echo 'a  b' | tr a c; (exit 5)"]}) == (5, "c  b\n")


@pytest.mark.parametrize("work", [{"words": []}, {"words": ["x"], "shell": "cmd"}, {"words": ["a\0b", "c"]}])
def test_what_cannot_be_run_here_is_declined(connection: PosixConnection, work: dict[str, Json]) -> None:
    with pytest.raises(DeclinedError):
        connection.start_job(job_of("command", {"language": "sh", **work}), 0)
