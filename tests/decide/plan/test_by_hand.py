"""Steps of jobs -> what does the same by hand."""

from __future__ import annotations

import pytest

from immy_nornir.decide.plan.by_hand import by_hand
from immy_nornir.decide.plan.job_steps import Step
from immy_nornir.model.values import SecretRef

POWERSHELL = {"script": "Do-It $a\nbye", "language": "powershell"}
CASES = {
    "winget": (
        Step("install", "package", {"manager": "winget", "name": "A.B", "action": "install", "version": "2"}),
        ["winget install --id A.B --exact --silent --accept-source-agreements --version 2"],
    ),
    "apt, removed": (
        Step("uninstall", "package", {"manager": "apt", "name": "foo", "action": "uninstall"}),
        ["apt-get -y remove -- foo"],
    ),
    "an msi": (
        Step(
            "install", "installer", {"url": "https://e.com/a.msi", "file_name": "a.msi", "type": "msi", "sha256": "0f"}
        ),
        ["download https://e.com/a.msi as a.msi, sha256 0f", 'msiexec.exe /i "a.msi" /qn /norestart'],
    ),
    "an uninstall command": (
        Step("uninstall", "installer", {"uninstall": True, "command": "msiexec.exe /x {1} /qn"}),
        ["msiexec.exe /x {1} /qn"],
    ),
    "PowerShell's own spelling of values": (
        Step(
            "set",
            "script",
            {**POWERSHELL, "params": {"a": "it's", "b": True, "c": 3, "d": None, "e": {"x": [1]}}},
            {"pin": SecretRef("env:PIN")},
        ),
        [
            "$a = 'it''s'",
            "$b = $true",
            "$c = 3",
            "$d = $null",
            "$e = ConvertFrom-Json '{\"x\": [1]}'",
            "$pin = '<secret: env:PIN>'",
            "Do-It $a",
            "bye",
        ],
    ),
    "resources": (
        Step("set", "declare", {"resources": [{"resource": "file", "path": "/a", "mode": None, "absent": False}]}),
        ['set {"resource": "file", "path": "/a", "absent": false}'],
    ),
}


@pytest.mark.parametrize("name", list(CASES))
def test_what_does_the_same_by_hand(name: str) -> None:
    step, lines = CASES[name]
    assert list(by_hand(step)) == lines
