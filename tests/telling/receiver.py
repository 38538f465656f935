"""A webhook on this machine, and commands that are told things: what arrived, and whatever else they do."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.waiting import ENOUGH

SINK = """
import sys, time, json, os, pathlib
text = sys.stdin.read()
what, place = sys.argv[1], pathlib.Path(sys.argv[2])
if what == "flood":
    for _ in range(200):
        sys.stdout.write("x" * 100_000); sys.stderr.write("y" * 100_000)
if what != "refuse":
    with place.open("a") as file:
        file.write(text)
if what == "refuse":
    print("first line", file=sys.stderr); sys.exit("the desk is closed: " + os.environ.get("DESK_TOKEN", ""))
if what == "hang":
    time.sleep(3600)
"""
"""`python sink.py WHAT FILE`: adds its standard input to a file, and then does as it is told."""


def sink(root: Path, what: str, place: str) -> list[str]:
    """The words of such a command, whose program is written into a folder."""
    (root / "sink.py").write_text(SINK, encoding="utf-8")
    return [sys.executable, "sink.py", what, place]


def told(path: Path) -> list[dict[str, Any]]:
    """The messages that a command was told."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


@dataclass
class Webhook:
    """A server that writes down what is posted to it."""

    port: int
    got: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    status: int = 200
    silent: threading.Event = field(default_factory=threading.Event)
    """Set, and requests are answered no more."""
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, token: str) -> str:
        """As apprise has it."""
        return f"json://127.0.0.1:{self.port}/{token}"


@contextmanager
def webhook() -> Iterator[Webhook]:
    """A webhook on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            hook.got.append(json.loads(body))
            hook.paths.append(self.path)
            if hook.silent.is_set():
                hook.over.wait(ENOUGH)
            self.send_response(hook.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook = Webhook(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        hook.over.set()
        server.shutdown()
        server.server_close()
        thread.join(ENOUGH)
