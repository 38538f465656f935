"""A transport that starts PowerShell as a process of this machine, with its own registry, modules and spool."""

from __future__ import annotations

import json
import math
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from immy_nornir.errors import TransportTimeoutError
from immy_nornir.model.protocols import RawAnswer
from immy_nornir.model.wire import Answer, AnswerStatus, Read, ReadOperation
from immy_nornir.remote.windows import powershell
from immy_nornir.remote.windows.connection import PowerShellConnection
from tests.powershell import PWSH

MODULES = Path(__file__).parent / "modules"


class ProcessTransport:
    """Each request is a new PowerShell process."""

    platform_hint = "powershell"

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self.requests = 0
        self.last: RawAnswer | None = None

    def request(self, payload: bytes, deadline_seconds: float, first_seconds: float = math.inf) -> RawAnswer:  # noqa: ARG002 - a process here is never silent for long
        self.requests += 1
        try:
            done = subprocess.run(
                [PWSH, *powershell.arguments()],
                input=payload,
                capture_output=True,
                timeout=deadline_seconds,
                env=self.environment,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TransportTimeoutError("the process did not end") from error
        self.last = RawAnswer(done.stdout, done.stderr, done.returncode)
        return self.last

    def close(self) -> None:
        pass


class Machine:
    """One pretended Windows computer: an edition of PowerShell over a folder."""

    def __init__(self, folder: Path, edition: str, registry: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.edition = edition
        for name in ("tasks", "spool"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.registry_path = folder / "registry.json"
        self.registry_path.write_text(json.dumps({"HKLM": {}, "HKCU": {}, "HKU": {}, **(registry or {})}))
        self.environment = {
            **os.environ,
            "IMMY_SPOOL": str(folder / "spool"),
            "IMMY_TEST_TASKS": str(folder / "tasks"),
            "PSModulePath": f"{MODULES}{os.pathsep}{os.environ.get('PSModulePath', '')}",  # noqa: SIM112
            "PWSH_REGISTRY": str(self.registry_path),
            "TMPDIR": str(folder),
        }
        if edition:
            self.environment["PWSH_EDITION"] = edition

    def transport(self, **more: str) -> ProcessTransport:
        return ProcessTransport({**self.environment, **more})

    def connection(self, **more: str) -> PowerShellConnection:
        return PowerShellConnection(self.transport(**more))

    def registry(self) -> Any:
        return json.loads(self.registry_path.read_text())


def script(name: str, text: str, timeout: float = 30.0, purpose: str = "get", **params: Any) -> ReadOperation:
    return ReadOperation(name, Read.SCRIPT, {"params": params, "purpose": purpose}, text, timeout_seconds=timeout)


def value(answer: Answer) -> Any:
    assert answer.status is AnswerStatus.OK, answer
    return answer.result
