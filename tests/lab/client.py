"""A client for the lab's own tests: pywinrm, and the smallest encoder and decoder of the bundle protocol."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from winrm.exceptions import WinRMOperationTimeoutError
from winrm.protocol import Protocol

from immy_nornir.lab import ComputerSpec, Lab
from tests.waiting import turns

BOOTSTRAP = "# stands for the bootstrap: IMMY1 on stdin"
POWERSHELL = "powershell -NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand"


@dataclass(frozen=True)
class Reply:
    """What came back: every frame's JSON in order, and the raw streams."""

    frames: list[dict[str, Any]]
    stdout: bytes
    stderr: bytes
    exit_code: int

    def result(self, id_: str = "o0") -> Any:
        answer = next(one for one in self.frames if one["id"] == id_)
        assert answer["status"] == "ok", answer
        return answer["result"]


def protocol(lab: Lab, spec: ComputerSpec, **options: Any) -> Protocol:
    settings: dict[str, Any] = {
        "endpoint": f"http://{spec.address}:{spec.port or lab.port}/wsman",
        "username": spec.username,
        "password": spec.password,
        "transport": "plaintext",
        "read_timeout_sec": 60,
        "operation_timeout_sec": 2,
        "proxy": None,
        **options,
    }
    return Protocol(**settings)


def command_line(script: str) -> str:
    return f"{POWERSHELL} {base64.b64encode(script.encode('utf-16-le')).decode()}"


def encode(operations: list[Mapping[str, Any]], nonce: str) -> bytes:
    lines = [nonce, base64.b64encode(b"# the runner").decode()]
    lines += [base64.b64encode(json.dumps(one).encode()).decode() for one in operations]
    payload = "\n".join(lines).encode()
    text = base64.b64encode(gzip.compress(payload))
    return b"IMMY1 %d %s\n" % (len(text), hashlib.sha256(payload).hexdigest().encode()) + text + b"\n"


def frames_of(stdout: bytes, nonce: str) -> list[dict[str, Any]]:
    frames = []
    for line in stdout.split(b"\n"):
        words = line.split()
        if len(words) != 5 or words[0] != b"#IMMY" or words[1].decode() not in (nonce, "0" * 32):
            continue
        text = gzip.decompress(base64.b64decode(words[4]))
        assert len(words[4]) == int(words[2])
        assert hashlib.sha256(text).hexdigest() == words[3].decode()
        frames.append(json.loads(text))
    return frames


def run(client: Protocol, line: str, stdin: bytes = b"") -> tuple[bytes, bytes, int]:
    shell = client.open_shell()
    try:
        command = client.run_command(shell, line, console_mode_stdin=False)
        client.send_command_input(shell, command, stdin, end=True)
        out: list[bytes] = []
        err: list[bytes] = []
        for _ in turns("the command's end"):
            try:
                stdout, stderr, code, done = client.get_command_output_raw(shell, command)
            except WinRMOperationTimeoutError:
                continue
            out.append(stdout)
            err.append(stderr)
            if done:
                break
        client.cleanup_command(shell, command)
    finally:
        client.close_shell(shell)
    return b"".join(out), b"".join(err), code


def ask(client: Protocol, *operations: tuple[str, Mapping[str, Any]], timeout: float = 60) -> Reply:
    """Send one bundle of (op, params); their ids are o0, o1, ..."""
    nonce = secrets.token_hex(16)
    listed: list[Mapping[str, Any]] = [
        {"id": f"o{number}", "op": op, "params": params, "script": None, "timeout": timeout}
        for number, (op, params) in enumerate(operations)
    ]
    stdout, stderr, code = run(client, command_line(BOOTSTRAP), encode(listed, nonce))
    return Reply(frames_of(stdout, nonce), stdout, stderr, code)
