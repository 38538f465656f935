"""What one operation may not do to another, in both editions: state, endings, noise, time-outs."""

# ruff: noqa: E501 - scripts stand on one line each

from __future__ import annotations

import math
import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.errors import GarbledError, RefusedError, TransportTimeoutError, UsageError
from immy_nornir.model.protocols import RawAnswer
from immy_nornir.model.wire import Answer, AnswerStatus, Effect, EffectOperation, Read, ReadOperation
from immy_nornir.remote.windows.connection import MARGIN_SECONDS, PowerShellConnection
from tests.powershell import needs_pwsh
from tests.remote.windows.processes import Machine, ProcessTransport, script, value
from tests.waiting import ENOUGH

pytestmark = [needs_pwsh, pytest.mark.slow]

OBJECT = """
$text = 'line' | Add-Member -NotePropertyName PSPath -NotePropertyValue x -PassThru
[pscustomobject]@{
    one = , 1; none = @(); date = [DateTime]::new(2024, 2, 29, 1, 2, 3, [DateTimeKind]::Utc); text = $text; nothing = $null
    nested = @{ a = @{ b = 1.5 } }; big = 4294967296; day = [DayOfWeek]::Friday; version = [version]'1.2.3'
    odd = "a`0b$([char]0xd800)c`n"; emoji = [char]::ConvertFromUtf32(0x1F600); nan = [double]::NaN
    decimal = 1.10d; uint = [uint64]::MaxValue; truth = $true; bytes = [byte[]](1, 2); guid = [guid]::Empty
}
"""


def scripts(folder: Path) -> list[ReadOperation]:
    return [
        script("before", "'first'"),
        script("exit", "'gone'; exit 3"),
        script("exit_deep", "function f { if ($true) { exit 7 } } f; 'never'"),
        script("exit_zero", "'kept'; exit"),
        script("throw", "'x'\nthrow 'my words'"),
        script("syntax", "if ("),
        script("error", "Write-Error 'small'; Write-Warning 'careful'; Get-Item /no/such; 'still'"),
        script("noise", "[Console]::WriteLine('n1'); [Console]::Error.WriteLine('n2'); Write-Host 'n3'; 5"),
        script("raw", "$o=[Console]::OpenStandardOutput(); $o.Write([byte[]](35,73,77,77,89,32,10,195,40), 0, 9); 6"),
        script("console", "[Console]::SetOut([IO.TextWriter]::Null); [Console]::SetIn([IO.StringReader]::new('x')); 1"),
        script("leak", f"$env:LEAK='1'; $env:HOME='/x'; $env:PATH=$null; Set-Location '{folder}';"
               f"[Environment]::CurrentDirectory='{folder}'; $global:g=1; $ErrorActionPreference='Stop';"
               "$script:WarningPreference='Stop'; function leaked {}; $PSDefaultParameterValues['*:X']=1; 1"),
        script("leaked", "@{ env=$env:LEAK; home=$env:HOME; path=[bool]$env:PATH; here=(Get-Location).Path; g=$global:g;"
               "cwd=[Environment]::CurrentDirectory; eap=\"$ErrorActionPreference\"; warn=\"$WarningPreference\";"
               "f=[bool](Get-Command leaked -ErrorAction SilentlyContinue); defaults=$PSDefaultParameterValues.Count }"),
        script("stdin", "@([Console]::In.ReadToEnd(), @($input).Count)"),
        script("child_stdin", "@(& cat).Count"),
        script("big", "'x' * 2000000"),
        script("deep", "$x = 1; foreach ($i in 1..40) { $x = @{ a = $x } }; $x"),
        script("cycle", "$a = @{}; $a.me = $a; $a"),
        script("object", OBJECT),
        script("dotnet", "[IO.FileInfo]'/etc/passwd'"),
        script("several", "1; 2; @{ three = 3 }"),
        script("nothing", "$null = 1"),
        script("list", ", @(1, 2)"),
        script("declared", "param([string]$Name, [switch]$Force, [int[]]$Many, $Missing = 'd')\n"
               "@{ name=$Name; force=[bool]$Force; many=$Many; missing=$Missing; all=$params.Other; y=$params['Map'].Y }",
               Name="o'brien \"$(1+1)\" `n ä", Force=True, Many=[1, 2], Other=["a"], Map={"Y": "2024-01-01T00:00:00Z"}),
        script("versions", "@{ version='1' }; @{ version='2' }", purpose="versions"),
        script("test_yes", "exit 0", purpose="test"),
        script("test_no", "exit 1", purpose="test"),
        script("test_bad", "exit 2", purpose="test"),
        script("test_value", "$false", purpose="test"),
        script("native", "& sh -c 'echo out; echo err >&2; exit 9'; 'code ' + $LASTEXITCODE"),
        script("read_host", "Read-Host 'name?'"),
        script("after", "'last'"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def machine(edition: str, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("isolation"), edition)


@pytest.fixture(scope="module")
def run(machine: Machine) -> tuple[Mapping[str, Answer], ProcessTransport]:
    transport = machine.transport()
    answers = PowerShellConnection(transport).read(scripts(machine.folder))
    return answers, transport


@pytest.fixture(scope="module")
def answers(run: tuple[Mapping[str, Answer], ProcessTransport]) -> Mapping[str, Answer]:
    return run[0]


def test_everything_is_answered_by_one_process(
    run: tuple[Mapping[str, Answer], ProcessTransport], machine: Machine
) -> None:
    answers, transport = run
    assert transport.requests == 1
    assert list(answers) == [operation.id for operation in scripts(machine.folder)]
    assert (value(answers["before"]), value(answers["after"])) == ("first", "last")


def test_exit_and_throw_cost_only_their_own_result(answers: Mapping[str, Answer]) -> None:
    assert [(answers[one].status, answers[one].exit_code) for one in ("exit", "exit_deep")] == [
        (AnswerStatus.FAILED, 3),
        (AnswerStatus.FAILED, 7),
    ]
    assert (value(answers["exit_zero"]), answers["exit_zero"].exit_code) == ("kept", 0)
    assert answers["throw"].status is AnswerStatus.FAILED
    assert answers["throw"].error == "my words (line 2)"
    assert answers["syntax"].status is AnswerStatus.FAILED
    assert "line 1" in answers["syntax"].error
    assert "does not support user interaction" in "".join([answers["read_host"].error, *answers["read_host"].warnings])


def test_errors_that_do_not_end_a_script_are_warnings(answers: Mapping[str, Answer]) -> None:
    assert value(answers["error"]) == "still"
    assert answers["error"].warnings[0] == "careful"
    assert "small" in answers["error"].warnings[1]


def test_noise_is_kept_as_the_operations_evidence(answers: Mapping[str, Answer]) -> None:
    assert value(answers["noise"]) == 5
    assert answers["noise"].output.split("\n") == ["n1", "n2", "n3"]
    assert value(answers["raw"]) == 6


def test_nothing_leaks_into_the_next_operation(answers: Mapping[str, Answer], machine: Machine) -> None:
    told = value(answers["leaked"])
    home = machine.environment["HOME"]
    assert (told["env"], told["home"], told["path"], told["g"], told["f"]) == (None, home, True, None, False)
    assert (told["eap"], told["warn"], told["defaults"]) == ("Continue", "Continue", 0)
    assert str(machine.folder) not in (told["here"], told["cwd"])


def test_scripts_and_their_children_meet_the_end_of_stdin(answers: Mapping[str, Answer]) -> None:
    assert (answers["stdin"].output, value(answers["stdin"])) == ("", 0)
    assert value(answers["child_stdin"]) == 0


def test_results_that_are_too_large_or_too_deep_fail_with_that_reason(answers: Mapping[str, Answer]) -> None:
    assert (answers["big"].status, answers["big"].error) == (AnswerStatus.FAILED, "the result is larger than 1 MB")
    assert "deeper than 32" in answers["deep"].error
    assert "deeper than 32" in answers["cycle"].error


def test_results_are_plain_json_and_alike_in_both_editions(answers: Mapping[str, Answer]) -> None:
    told = value(answers["object"])
    assert told == {
        "one": [1], "none": [], "date": "2024-02-29T01:02:03Z", "text": "line", "nothing": None,
        "nested": {"a": {"b": 1.5}}, "big": 4294967296, "day": "Friday", "version": "1.2.3",
        "odd": "a\x00b\ufffdc\n", "emoji": "😀", "nan": "NaN", "decimal": 1.1, "uint": 18446744073709551615,
        "truth": True, "bytes": "AQI=", "guid": "00000000-0000-0000-0000-000000000000",
    }  # fmt: skip
    file = value(answers["dotnet"])
    assert file["Name"] == "passwd"
    assert all(isinstance(one, str | int | bool | None) for one in file.values())


def test_the_last_value_is_the_result(answers: Mapping[str, Answer]) -> None:
    assert value(answers["several"]) == {"three": 3}
    assert answers["several"].output == "1\n2"
    assert value(answers["nothing"]) is None
    assert value(answers["list"]) == [1, 2]
    assert value(answers["versions"]) == [{"version": "1"}, {"version": "2"}]
    assert value(answers["native"]) == "code 9"


def test_parameters_arrive_as_data(answers: Mapping[str, Answer]) -> None:
    assert value(answers["declared"]) == {
        "name": "o'brien \"$(1+1)\" `n ä", "force": True, "many": [1, 2], "missing": "d", "all": ["a"],
        "y": "2024-01-01T00:00:00Z",
    }  # fmt: skip


def test_exit_codes_of_tests_are_verdicts(answers: Mapping[str, Answer]) -> None:
    assert (value(answers["test_yes"]), value(answers["test_no"]), value(answers["test_value"])) == (True, False, False)
    assert answers["test_bad"].status is AnswerStatus.FAILED


# --- endings of the whole process ---------------------------------------------------------------------------


def test_the_operation_that_ends_the_process_is_found_and_the_others_are_answered(machine: Machine) -> None:
    operations = [script(f"s{index}", f"{index}") for index in range(6)]
    operations[4] = script("s4", "[Environment]::Exit(0)")
    answers = machine.connection().read(operations)
    assert answers["s4"].status is AnswerStatus.DIED
    assert [value(answers[f"s{index}"]) for index in (0, 1, 2, 3, 5)] == [0, 1, 2, 3, 5]


def test_a_killed_process_alone_is_told_from_a_computer_that_never_answers(machine: Machine) -> None:
    connection = machine.connection()
    alone = connection.read([script("only", "[Diagnostics.Process]::GetCurrentProcess().Kill()")])
    assert alone["only"].status is AnswerStatus.DIED


# --- time-outs ----------------------------------------------------------------------------------------------


def _alive(mark: str) -> bool:
    return subprocess.run(["pgrep", "-f", mark], capture_output=True, check=False, timeout=ENOUGH).returncode == 0


@pytest.mark.sampled(1)
def test_time_outs_end_what_can_be_ended_and_send_the_rest_to_a_new_process(machine: Machine) -> None:
    mark = f"31{time.time_ns() % 10**9}"
    transport = machine.transport()
    started = time.monotonic()
    answers = PowerShellConnection(transport).read(
        [
            script("loop", "while ($true) { Start-Sleep -Milliseconds 50 }", timeout=1),
            script("child", f"& sh -c 'sh -c \"sleep {mark}\"; true'; 'done'", timeout=1),
            script("between", "'fine'"),
            script("blocked", "[Threading.Thread]::Sleep(600000)", timeout=1),
            script("after", "'after'"),
        ]
    )
    took = time.monotonic() - started
    assert [answers[one].status for one in ("loop", "child", "blocked")] == [AnswerStatus.TIMED_OUT] * 3
    assert (value(answers["between"]), value(answers["after"])) == ("fine", "after")
    assert not _alive(mark)
    assert transport.requests == 2
    assert took < 3 * 1 + 2 * 30 + MARGIN_SECONDS  # before anybody's deadline for the whole request


# --- a computer whose PowerShell runs nothing of ours --------------------------------------------------------


def test_constrained_language_is_an_outcome_of_its_own(machine: Machine) -> None:
    with pytest.raises(RefusedError, match="ConstrainedLanguage"):
        machine.connection(PWSH_LANGUAGE_MODE="ConstrainedLanguage").identify()


class Damaged:
    """A transport over a real process that spoils what comes back, or what goes out."""

    platform_hint = "powershell"

    def __init__(self, inner: ProcessTransport, spoil: Any, spoil_request: Any = lambda payload: payload) -> None:
        self.inner = inner
        self.spoil = spoil
        self.spoil_request = spoil_request

    def request(self, payload: bytes, deadline_seconds: float, first_seconds: float = math.inf) -> RawAnswer:
        answer = self.inner.request(self.spoil_request(payload), deadline_seconds, first_seconds)
        return RawAnswer(self.spoil(answer.stdout), answer.stderr, answer.exit_code)

    def close(self) -> None:
        self.inner.close()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda _: b"", "empty"),
        (lambda stdout: stdout[: len(stdout) // 3], "damaged|cut off"),
        (lambda stdout: re.sub(rb"#IMMY", b"#IMMX", stdout), "cut off"),
        (lambda stdout: stdout.replace(b"H4sI", b"H4sJ"), "damaged"),
        (lambda _: b"<html>blocked</html>", "cut off"),
    ],
    ids=["empty", "cut-off", "no-frames", "flipped", "web-page"],
)
def test_a_spoiled_answer_is_never_an_answer(tmp_path: Path, spoil: Any, reason: str) -> None:
    machine = Machine(tmp_path, "")
    connection = PowerShellConnection(Damaged(machine.transport(), spoil))
    with pytest.raises(GarbledError, match=reason):
        connection.read([ReadOperation("software", Read.SOFTWARE)])


@pytest.mark.sampled(1)
def test_a_spoiled_request_runs_nothing(machine: Machine) -> None:
    mark = machine.folder / "mark"
    for spoil_request in (lambda raw: raw[:-200] + b"\n", lambda raw: raw.replace(b"A", b"B", 1), lambda _: b"hello"):
        connection = PowerShellConnection(Damaged(machine.transport(), lambda raw: raw, spoil_request))
        with pytest.raises(GarbledError, match="nothing was run"):
            connection.read([script("s", f"New-Item {mark}")])
    assert not mark.exists()


def test_only_reading_operations_can_be_read(machine: Machine) -> None:
    connection = machine.connection()
    bad: list[Any] = [EffectOperation("e", Effect.REBOOT), ReadOperation("e", Effect.REBOOT)]  # type: ignore[arg-type]
    for operation in bad:
        with pytest.raises(UsageError, match="no reading operation"):
            connection.read([operation])
    with pytest.raises(UsageError, match="same id"):
        connection.read([script("a", "1"), script("a", "2")])
    assert connection.read([]) == {}


# --- who it is, before anything else --------------------------------------------------------------------------


GUID = "0AB12C3D-0000-4000-8000-000000000001"
REGISTRY = {"HKLM": {"SOFTWARE\\Microsoft\\Cryptography": {"MachineGuid": GUID}}}


@pytest.mark.parametrize(
    ("expected", "goes_on"),
    [
        ({}, True),
        ({"uuid": GUID.lower()}, True),
        ({"uuid": f"{{{GUID}}}", "uuid_source": "machine_guid"}, True),
        ({"uuid": GUID, "uuid_source": "smbios"}, False),
        ({"uuid": GUID.replace("1", "2")}, False),
        ({"uuid": GUID, "name": "somebody-else"}, False),
    ],
)
@pytest.mark.sampled
def test_a_request_goes_on_only_on_the_computer_that_is_expected(
    tmp_path: Path, edition: str, expected: dict[str, str], goes_on: bool
) -> None:
    machine = Machine(tmp_path, edition, REGISTRY)
    transport = machine.transport()
    mark = tmp_path / "mark"
    identity, answers = PowerShellConnection(transport).meet(expected, [script("s", f"New-Item '{mark}'; 7")])
    assert (identity.uuid, identity.uuid_source) == (GUID.lower(), "machine_guid")
    assert transport.requests == 1
    assert mark.exists() is goes_on
    assert {name: answer.result for name, answer in answers.items()} == ({"s": 7} if goes_on else {})


@pytest.mark.sampled(1)
def test_a_script_that_ends_the_process_does_not_hide_who_it_was(machine: Machine) -> None:
    connection = machine.connection()
    identity, answers = connection.meet(
        {}, [script("good", "1"), script("bad", "[Diagnostics.Process]::GetCurrentProcess().Kill()")]
    )
    assert identity.name
    assert "bad" not in answers
    assert value(connection.read([script("good", "1")])["good"]) == 1


BLOCKING = "[pscustomobject]@{ a = 1 } | Add-Member ScriptProperty Slow { Start-Sleep 1000 } -PassThru"
COUNTING = "[pscustomobject]@{ a = 1 } | Add-Member ScriptProperty Twice { $this.a * 2 } -PassThru"


@pytest.mark.sampled(1)
def test_a_property_that_is_a_script_is_told_and_one_that_blocks_costs_only_its_own_result(machine: Machine) -> None:
    transport = machine.transport()
    operations = [script("before", "1"), script("blocking", BLOCKING, timeout=2), script("counting", COUNTING)]
    identity, answers = PowerShellConnection(transport).meet({}, operations)
    assert identity.name
    assert answers["blocking"].status is AnswerStatus.TIMED_OUT
    rest = PowerShellConnection(transport).read([one for one in operations if one.id != "blocking"])
    assert value(rest["before"]) == 1
    assert value(rest["counting"]) == {"a": 1, "Twice": 2}


@pytest.mark.sampled(1)
def test_an_identity_that_came_before_the_deadline_counts(machine: Machine) -> None:
    """A request that never ends: what was flushed of it says who the computer is."""

    class Endless:
        platform_hint = "powershell"

        def __init__(self) -> None:
            self.inner = machine.transport()

        def request(self, payload: bytes, deadline_seconds: float, first_seconds: float = math.inf) -> RawAnswer:
            done = self.inner.request(payload, deadline_seconds, first_seconds)
            if self.inner.requests == 1:
                raise TransportTimeoutError("it never ended", output=done.stdout[: done.stdout.index(b"\n") + 1])
            return done

        def close(self) -> None:
            pass

    identity, answers = PowerShellConnection(Endless()).meet({}, [script("s", "1")])
    assert identity.name
    assert answers == {}
