"""The dialog of Linux, with a zenity of our own in its place: what is offered, in whose words, and what comes back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from immy_nornir.decide import asking_texts
from immy_nornir.model.items import Platform
from immy_nornir.model.record.question_entries import QuestionKind
from immy_nornir.remote.posix.shell_values import variables
from immy_nornir.session.asking import _script
from tests.waiting import ENOUGH

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="/proc tells how to reach a desktop"),
    pytest.mark.usefixtures("desktop"),
]


@pytest.fixture
def desktop() -> Iterator[None]:
    """A program of this user that shows windows."""
    program = subprocess.Popen(["sleep", "600"], env={**os.environ, "DISPLAY": ":77", "LANG": "de_DE.UTF-8"})
    yield
    program.kill()
    program.wait(ENOUGH)


def dialog(tmp_path: Path, body: str, kind: QuestionKind = QuestionKind.CONSENT) -> tuple[int, str]:
    """The exit code of the dialog, whose zenity is this, and what that was called with."""
    tools, said = tmp_path / "bin", tmp_path / "said"
    tools.mkdir()
    (tools / "zenity").write_text(f'#!/bin/sh\nprintf "%s|" "$@" >"{said}"\necho "$DISPLAY" >>"{said}"\n{body}\n')
    (tools / "zenity").chmod(0o755)
    params = asking_texts.params_of(
        kind,
        (15, 120),
        asking_texts.texts_of(None),
        lambda text, _: text.replace("{{ reason }}", "Ünïcode `x` $(y)"),
        {},
    )
    done = subprocess.run(
        ["sh", "-c", _script(Platform.LINUX)],
        env={"PATH": f"{tools}:/usr/bin:/bin", **variables({**params, "seconds": 5})},
        capture_output=True,
        text=True,
        timeout=ENOUGH,
        check=False,
    )
    return done.returncode, said.read_text("utf-8") if said.exists() else done.stdout


@pytest.mark.parametrize(
    ("body", "code"),
    [("echo 100", 100), ("echo 111", 111), ("echo 101", 101), ("echo 199", 102), ("exit 5", 102), ("", 102)],
    ids=["now", "in two hours", "no", "not offered", "closed by its time", "closed"],
)
def test_what_is_chosen_is_the_exit_code_and_anything_else_is_silence(tmp_path: Path, body: str, code: int) -> None:
    found, said = dialog(tmp_path, body)
    assert found == code
    assert "Neustart erforderlich" in said, "in the language of the person"
    assert "Ünïcode `x` $(y)" in said, "words are data"
    assert "|100|Jetzt neu starten|110|" in said
    assert said.endswith(":77\n")


def test_a_countdown_offers_only_now(tmp_path: Path) -> None:
    found, said = dialog(tmp_path, "exit 5", QuestionKind.COUNTDOWN)
    assert found == 102
    assert "|100|" in said
    assert "|101|" not in said
