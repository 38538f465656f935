"""The script files themselves: they parse in Windows PowerShell 5.1, are ASCII, and the tests reach most of them."""

from __future__ import annotations

import hashlib
import json
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from immy_nornir.model.wire import Read, ReadOperation
from immy_nornir.remote.windows import bundle
from tests.powershell import PWSH, needs_pwsh
from tests.remote.windows import test_isolation, test_reads
from tests.remote.windows.processes import Machine, script
from tests.waiting import ENOUGH

FILES = sorted(Path(str(resources.files("immy_nornir.remote.windows"))).rglob("*.ps1"))
MINIMUM = 70.0
"""wtsapi32.dll is on Windows only; what only a registry reaches that denies something is run in test_reads."""
Span = tuple[tuple[int, int], tuple[int, int]]


def test_scripts_are_ascii() -> None:
    # Windows PowerShell 5.1 reads a file without a byte order mark in the machine's own code page.
    assert len(FILES) > 10
    for file in FILES:
        assert file.read_text("utf-8").isascii(), file.name


@needs_pwsh
def test_scripts_pass_the_check_for_windows_powershell(tmp_path: Path) -> None:
    texts = {file.name: file.read_text("utf-8") for file in FILES}
    texts.update({f"all-{kind.value}.ps1": bundle.runner_text(kind) for kind in bundle.Kind})
    texts["all-job.ps1"] = bundle.job_text()
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [PWSH, "-Check51", *sorted(tmp_path.iterdir())], capture_output=True, text=True, check=False, timeout=ENOUGH
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def _spans(lines: str) -> list[tuple[str, Span]]:
    found = []
    for line in lines.splitlines():
        entry = json.loads(line)
        found.append((entry["script"], (tuple(entry["start"]), tuple(entry["end"]))))
    return found


def _share(statements: list[Span], ran: set[Span]) -> float:
    """Percent of the statements within which some recorded place lies."""
    reached = sum(any(start <= one[0] and one[1] <= end for one in ran) for start, end in statements)
    return 100 * reached / len(statements)


HELPER = {
    "[Environment]::Exit(0)": "",
    "$shell.Runspace = Get-ImmyHelper": "$shell.Runspace = Open-ImmyRunspace",
    "$shell.AddCommand('Invoke-ImmyOperation').AddParameter('name', $operation.op)"
    ".AddParameter('parameters', $operation.params)": "$shell.AddScript("
    "'param($library, $name, $parameters) . $library; Invoke-ImmyOperation $name $parameters')"
    ".AddArgument(([scriptblock]::Create($ImmyLibrary.ToString()))).AddArgument($operation.op)"
    ".AddArgument($operation.params)",
    "$shell.AddScript('param($value) try {": "$shell.AddScript('param($library, $value) . $library; try {",
    "}').AddArgument($result)": "}').AddArgument([scriptblock]::Create($ImmyLibrary.ToString())).AddArgument($result)",
}
DRIVER = """
$lines = @([IO.File]::ReadAllText('{payload}') -split "`n")
& ([scriptblock]::Create([IO.File]::ReadAllText('{runner}'))) $lines
"""


@needs_pwsh
@pytest.mark.slow
@pytest.mark.parametrize("edition", ["5.1", ""])
def test_reading_requests_reach_most_statements(edition: str, tmp_path: Path) -> None:
    runner, payload, driver = (tmp_path / name for name in ("runner.ps1", "payload", "driver.ps1"))
    # What ran is recorded at an orderly end of the process only, and of a runspace's first pipeline only: so here each
    # operation has a helper of its own. The text of the library has the same line numbers as the whole.
    text = bundle.runner_text(bundle.Kind.READING)
    for old, new in HELPER.items():
        assert old in text
        text = text.replace(old, new)
    runner.write_text(text)
    library = text[text.index("{") + 1 : text.index("\n}\n$ImmyJobText") + 1]
    digests = {hashlib.sha256(one.encode()).hexdigest() for one in (text, library)}
    listed = subprocess.run(
        [PWSH, "-Statements", runner], capture_output=True, text=True, check=True, timeout=ENOUGH
    ).stdout
    machine = Machine(tmp_path / "computer", edition, test_reads.REGISTRY)
    test_reads.add_package_managers(machine)
    operations = [
        *test_reads.operations(machine.folder),
        *(one for one in test_isolation.scripts(machine.folder) if one.id not in {"big", "cycle"}),
        ReadOperation("unknown", Read.FACTS, {"sections": ["nope"]}),
        script("slow", "while ($true) { Start-Sleep -Milliseconds 50 }", timeout=1),
        script("last", "1"),
    ]
    payload.write_text("\n".join(["0" * 32, "", *(bundle.operation_line(one) for one in operations)]) + "\n")
    driver.write_text(DRIVER.format(payload=payload, runner=runner))
    coverage = tmp_path / "coverage"
    environment = {**machine.environment, "PWSH_COVERAGE": str(coverage), "PSModulePath": str(test_reads.CIM)}
    done = subprocess.run(
        [PWSH, "-NoProfile", "-File", driver],
        capture_output=True,
        env=environment,
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=ENOUGH,
    )
    assert done.stdout.count(b"#IMMY 0") == len(operations) + 1
    ran = {span for digest, span in _spans(coverage.read_text()) if digest in digests}
    share = _share([span for _, span in _spans(listed)], ran)
    print(f"{edition or '7'}: {share:.1f} % of the statements ran")  # noqa: T201 - the figure is the point
    assert share >= MINIMUM
