"""Computers that answer: one that answers and cannot be worked with is asked ever more rarely."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

from immy_nornir.decide.agenda import Deferred
from immy_nornir.history.agenda_rows import Left
from immy_nornir.model.protocols import Address
from immy_nornir.service.answers import Answers
from immy_nornir.session.engine import SystemClock
from tests.waiting import eventually

LEFT = Left(Deferred("s", "connectivity", 0.0), "r", "pc1", "", None)


def test_what_was_worked_on_and_waits_again_is_not_asked_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address("pc1", "winrm", "127.0.0.1", server.getsockname()[1])
        engine: Any = SimpleNamespace(clock=SystemClock(), computer=lambda name: name, address_of=lambda _: address)
        answers = Answers(engine)
        try:
            answers.watch([LEFT])
            eventually(lambda: answers.taken() == {"s"}, "it answers")
            answers.watch([])  # it is being worked on
            answers.watch([LEFT])
            assert answers._pauses["s"][1] == 10.0
            assert not answers.news.wait(0.3) or not answers.taken()
        finally:
            answers.close()
