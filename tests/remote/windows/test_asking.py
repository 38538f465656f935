"""Who is logged on to Windows and how, and the words of a dialog, by a real PowerShell; windows are not shown here."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from immy_nornir.model.items import Platform
from immy_nornir.remote.windows import bundle
from immy_nornir.session.asking import _script
from tests.powershell import PWSH, needs_pwsh
from tests.remote.windows.processes import Machine
from tests.waiting import ENOUGH

pytestmark = [needs_pwsh, pytest.mark.pwsh]

LOGONS = """
function Get-ImmyUsers {
    foreach ($name in 'CORP\\ann', 'CORP\\bob', 'CORP\\eve', 'AzureAD\\Jo') {
        [ordered]@{ sid = 's'; name = $name; profile = '' }
    }
}
function Get-ImmySessions {
    if ($env:BROKEN) { throw 'no' }
    @{ id = 1; user = 'ann'; domain = 'CORP'; state = 4; flags = 1 }
    @{ id = 2; user = 'ANN'; domain = 'CORP'; state = 0; flags = 1 }
    @{ id = 3; user = 'bob'; domain = 'CORP'; state = 0; flags = 0 }
    @{ id = 4; user = 'ann'; domain = 'OTHER'; state = 0; flags = 0 }
    @{ id = 5; user = 'Jo'; domain = 'AzureAD'; state = 0; flags = -1 }
}
$buffer = [Runtime.InteropServices.Marshal]::AllocHGlobal(64)
0..15 | ForEach-Object { [Runtime.InteropServices.Marshal]::WriteInt32($buffer, $_ * 4, 77) }
[Runtime.InteropServices.Marshal]::WriteInt32($buffer, 0, 1)
[Runtime.InteropServices.Marshal]::WriteInt32($buffer, 12, 4)
[Runtime.InteropServices.Marshal]::WriteInt32($buffer, 16, 0)
$info = Read-ImmySessionInfo $buffer 64
ConvertTo-ImmyJson ([ordered]@{ logons = @(Get-ImmyLogons); info = $info; short = Read-ImmySessionInfo $buffer 8 })
"""
WORDS = """
$params = @{ kind = 'consent'; seconds = 90; codes = '100 110 101'; languages = $env:LANGUAGES }
$params += @{ rest_de = 'noch %%TIME%%'; rest_en = '%%TIME%% left'; 'rest_de-AT' = 'no %%TIME%%' }
%s
function Get-AskedCultures { $env:CULTURE; $env:CULTURE.Substring(0, 2) }
$language = Get-AskedLanguage
ConvertTo-Json -Compress @($language, (Get-AskedRest), ($codes -join ','))
"""


def ran(tmp_path: Path, edition: str, text: str, **more: str) -> Any:
    """What a script printed, as JSON."""
    file = tmp_path / "asked.ps1"
    file.write_text(text)
    machine = Machine(tmp_path / "pc", edition)
    done = subprocess.run(
        [PWSH, "-File", file],
        capture_output=True,
        text=True,
        env={**machine.environment, **more},
        check=True,
        timeout=ENOUGH,
    )
    return json.loads(done.stdout)


def test_a_person_is_there_by_the_best_of_the_sessions(edition: str, tmp_path: Path) -> None:
    program = "\n".join(bundle.script_text(name) for name in bundle.READING)
    said = ran(tmp_path, edition, f"{program}\n{LOGONS}")
    states = {one["name"]: one["state"] for one in said["logons"]}
    assert states == {
        "CORP\\ann": "active",
        "CORP\\bob": "locked",
        "CORP\\eve": "disconnected",
        "AzureAD\\Jo": "active",
    }
    assert said["info"] == {"state": 4, "flags": 0}
    assert said["short"] is None
    broken = ran(tmp_path, edition, f"{program}\n{LOGONS}", BROKEN="1")
    assert {one["state"] for one in broken["logons"]} == {"unknown"}, "it is not known, and nobody is taken for absent"


@pytest.mark.parametrize(
    ("culture", "languages", "told"),
    [
        ("de-DE", "en de", ["de", "noch 1:30", "100,110,101"]),
        ("de-AT", "en de de-AT", ["de-AT", "no 1:30", "100,110,101"]),
        ("pl-PL", "en de", ["en", "1:30 left", "100,110,101"]),
    ],
)
def test_the_dialog_speaks_the_language_of_the_person(
    edition: str, tmp_path: Path, culture: str, languages: str, told: list[str]
) -> None:
    functions = _script(Platform.WINDOWS).partition("$language = Get-AskedLanguage")[0]
    assert ran(tmp_path, edition, WORDS % functions, CULTURE=culture, LANGUAGES=languages) == told
