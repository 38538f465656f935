"""Commands that somebody typed, in both editions: their words arrive as they are, whatever they hold."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from immy_nornir.model.values import Json
from immy_nornir.model.wire import JobSpec, JobState, JobStatus
from immy_nornir.remote.windows.connection import PowerShellConnection
from tests.powershell import PWSH, needs_pwsh
from tests.remote.windows.processes import Machine
from tests.waiting import turns

pytestmark = [needs_pwsh, pytest.mark.slow]

WORDS = ["a b", "", 'say "hi" \\', "it's", "$HOME `x` $(1)", "a&b|c;d>e", "x\ny", "ü 日本", "C:\\dir\\", "%PATH%", "*"]
TELL = "import json, sys; print(json.dumps(sys.argv[1:])); sys.exit(3)"


@pytest.fixture(scope="module")
def connection(edition: str, tmp_path_factory: pytest.TempPathFactory) -> PowerShellConnection:
    machine = Machine(tmp_path_factory.mktemp("commands"), edition, {"HKLM": {}})
    machine.environment["IMMY_PWSH"] = PWSH
    return machine.connection()


def _run(connection: PowerShellConnection, name: str, work: dict[str, Json]) -> JobStatus:
    about: dict[str, Json] = {"script": None, "language": "powershell", "shell": "powershell", **work}
    status = connection.start_job(JobSpec(f"s1/{name}/1", "command", about, deadline_seconds=60), 20)
    for _ in turns("the command's end"):
        if status.state not in {JobState.STARTING, JobState.RUNNING}:
            break
        status = connection.wait_job(f"s1/{name}/1", 0, 20)
    assert status.state is JobState.FINISHED, status
    assert status.result is not None
    return status


def _ended(status: JobStatus) -> tuple[int | None, str]:
    assert status.result is not None
    return status.result.exit_code, status.output.replace("\r\n", "\n")


def test_a_program_gets_its_words_as_they_were_typed(connection: PowerShellConnection) -> None:
    python = shutil.which("python3") or sys.executable
    code, said = _ended(_run(connection, "program", {"words": [python, "-c", TELL, *WORDS]}))
    assert code == 3
    assert json.loads(said) == WORDS


def test_a_script_gets_its_words_and_parameters_by_name(connection: PowerShellConnection) -> None:
    text = (
        "param([string]$Name, [switch]$Deep, [int]$Number, [Parameter(ValueFromRemainingArguments)]$Rest)\n"
        "[Console]::Out.WriteLine(\"$Name|$Deep|$Number|$($Rest -join '|')\")\nexit 4\n"
    )
    words: list[Json] = ["-Name", 'it\'s "$x" & ü', "-Deep", "-Number:7", "last one", "-1"]
    code, said = _ended(_run(connection, "script", {"script": text, "words": words}))
    assert (code, said) == (4, 'it\'s "$x" & ü|True|7|last one|-1\n')
    code, said = _ended(_run(connection, "blocks", {"script": "begin { 'b' } end { 'e' }", "words": []}))
    assert (code, said) == (0, "b\ne\n")


@pytest.mark.parametrize(
    ("name", "words", "code", "said"),
    [
        ("a_line", ["'a' + \"b$(1 + 1)\""], 0, "ab2\n"),
        ("a_line_that_exits", ["'x'; exit 5"], 5, "x\n"),
        ("a_line_that_fails_in_its_last_command", ["Get-Item -Path /nowhere -ErrorAction SilentlyContinue"], 1, ""),
        ("a_line_whose_last_program_fails", ["/bin/sh -c 'exit 6'"], 6, ""),
        ("a_cmdlet", ["Write-Output", "-InputObject", "$HOME 'and' \"more\""], 0, "$HOME 'and' \"more\"\n"),
        ("a_cmdlet_with_several", ["Join-Path", "a b", "c"], 0, None),
        ("an_alias", ["echo", "one two"], 0, "one two\n"),
    ],
)
def test_a_line_and_a_cmdlet(
    connection: PowerShellConnection, name: str, words: list[Json], code: int, said: str | None
) -> None:
    ended = _ended(_run(connection, name, {"words": words}))
    assert ended[0] == code
    assert said is None or ended[1] == said


def test_what_is_not_there_is_said(connection: PowerShellConnection) -> None:
    status = _run(connection, "nothing", {"words": ["no-such-program", "x"]})
    assert status.result is not None
    assert status.result.error.startswith("there is no command 'no-such-program' on this computer")
    status = _run(connection, "cmd", {"words": ["dir"], "shell": "cmd"})
    assert status.result is not None
    assert status.result.error.startswith("this computer has no cmd.exe")


def test_words_for_cmd_are_quoted_by_its_rules(connection: PowerShellConnection) -> None:
    library = Path("immy_nornir/remote/windows/scripts/acting/commands.ps1").read_text("utf-8")
    words = ["echo", "a b", "50%", 'say "x"', "a&b", "C:\\x y\\", ""]
    listed = ", ".join("'" + word.replace("'", "''") + "'" for word in words)
    code, said = _ended(_run(connection, "quoting", {"words": [f"{library}\nJoin-ImmyCmdWords {listed}"]}))
    assert code == 0
    assert said == 'echo "a b" "50%%cd:~,%" "say ""x""" "a&b" "C:\\x y\\\\" ""\n'
