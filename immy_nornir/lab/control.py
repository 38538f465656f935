"""A running lab's state file and control port, so that other processes can ask how it is and end it.

The state file `lab.json` names the control port and a token; it is readable by its user alone. One line of JSON goes
in, one comes back. Works the same on every system: no signals.
"""

from __future__ import annotations

import hmac
import os
import secrets
import socket
import socketserver
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immy_nornir.errors import UsageError
from immy_nornir.text import json

if TYPE_CHECKING:
    from immy_nornir.lab.lab import Lab
    from immy_nornir.model.values import Json

STATE_FILE = "lab.json"
CERTIFICATE_FILE = "lab.pem"
_TIMEOUT = 10.0


class Control:
    """Serves `status` and `down` for a running lab; `stopped` is set when somebody asked for the end."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.stopped = threading.Event()
        self._lab = lab
        self._path = folder / STATE_FILE
        self._token = secrets.token_hex(16)
        control = self

        class Handler(socketserver.StreamRequestHandler):
            timeout = _TIMEOUT

            def handle(self) -> None:
                self.wfile.write(json.line(control.answer(self.rfile.readline(65536))).encode() + b"\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="immy-lab-control", daemon=True)

    def start(self) -> None:
        """Serve, then write the state file: who finds it can ask."""
        self._thread.start()
        state = {
            "pid": os.getpid(),
            "control_port": self._server.server_address[1],
            "token": self._token,
            **self._lab.status(),
        }
        part = self._path.with_suffix(".part")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.indented(state, 1))
        part.replace(self._path)

    def answer(self, line: bytes) -> dict[str, Json]:
        """The answer to one line."""
        try:
            asked: Any = json.parse(line)
            token, verb = str(asked["token"]), str(asked["verb"])
        except (ValueError, KeyError, TypeError):
            return {"error": "no request"}
        if not hmac.compare_digest(token, self._token):
            return {"error": "wrong token"}
        if verb == "down":
            self.stopped.set()
        try:
            return {"pid": os.getpid(), **self._lab.status()}
        except UsageError:
            return {"pid": os.getpid(), "stopping": True}

    def close(self) -> None:
        """Stop serving and remove the state file."""
        self._path.unlink(missing_ok=True)
        self._server.shutdown()
        self._server.server_close()


def ask(folder: Path, verb: str) -> dict[str, Any] | None:
    """Ask the lab of a state folder for `status` or `down`; None when none is running there."""
    try:
        state = json.parse((folder / STATE_FILE).read_text("utf-8"))
        with socket.create_connection(("127.0.0.1", int(state["control_port"])), _TIMEOUT) as connection:
            connection.sendall(json.line({"token": state["token"], "verb": verb}).encode() + b"\n")
            with connection.makefile("rb") as file:
                answer = json.parse(file.readline())
    except (OSError, ValueError, KeyError):
        return None
    return answer if isinstance(answer, dict) and "error" not in answer else None
