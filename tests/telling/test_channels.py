"""One message to one channel: by apprise to a webhook, or to a command; none of them hangs or breaks its caller."""

from __future__ import annotations

import dataclasses
import threading
import time
from pathlib import Path

import pytest

from immy_nornir.model.control.telling import Channel
from immy_nornir.model.places import Place
from immy_nornir.model.values import SecretRef
from immy_nornir.secrets import SecretStore
from immy_nornir.telling.channels import MISSING, tell
from immy_nornir.telling.messages import test_message as message_of
from immy_nornir.text.harmless import harmless
from immy_nornir.text.redaction.redact import Redactor

from .receiver import sink, told, webhook

pytestmark = pytest.mark.slow
TOKEN = "T0ken-of-the-webhook"
HERE = Place("playbooks/telling.yml")


def secrets(**values: str) -> SecretStore:
    return SecretStore(Redactor(), values)


def by_url(seconds: float = 60.0) -> Channel:
    return Channel("hook", HERE, apprise=SecretRef("env:URL"), seconds=seconds)


def test_apprise_posts_to_a_webhook_and_says_what_it_answered(tmp_path: Path) -> None:
    # Modules of the folder are not those of the program that sends.
    (tmp_path / "apprise.py").write_text("raise SystemExit(0)")
    with webhook() as hook:
        store = secrets(URL=hook.url(TOKEN))
        message = message_of(by_url(), "test/1", 0.0)
        assert tell(by_url(), message, store, tmp_path).told
        [got] = hook.got
        assert (got["title"], got["message"]) == (message.title, message.text)
        assert "Reference: test/1" in got["message"]
        assert hook.paths in ([f"/{TOKEN}/"], [f"/{TOKEN}"])

        hook.status = 503
        outcome = tell(by_url(), message, store, tmp_path)
        assert (outcome.told, outcome.said) == (False, "apprise could not deliver it: the other side answered 503")

        hook.silent.set()
        began = time.monotonic()
        outcome = tell(by_url(3.0), message, store, tmp_path)
        assert (outcome.told, outcome.slow, outcome.said) == (False, True, "no answer in 3 s")
        assert time.monotonic() - began < 60
    wrong = tell(by_url(), message, secrets(URL=f"nothing-of-the-kind://{TOKEN}"), tmp_path)
    assert "no URL that apprise knows" in wrong.said
    for said in (outcome.said, wrong.said, tell(by_url(), message, secrets(), tmp_path).said):
        assert TOKEN not in said
    assert "env:URL: the environment variable URL is not set" in tell(by_url(), message, secrets(), tmp_path).said


def test_a_command_gets_json_and_cannot_hurt_whoever_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATORS_SECRET", "x")

    def channel(what: str, seconds: float = 60.0) -> Channel:
        words = tuple(sink(tmp_path, what, f"{what}.jsonl"))
        return Channel("desk", HERE, command=words, seconds=seconds)

    message = message_of(channel("keep"), "test/1", 0.0)
    for what in ("keep", "flood"):
        outcome = tell(channel(what), message, secrets(), tmp_path)
        assert (outcome.told, outcome.said) == (True, "")
        [got] = told(tmp_path / f"{what}.jsonl")
        assert (got["id"], got["event"], got["schema_version"]) == ("test/1", "test", 1)

    hung = tell(channel("hang", 2.0), message, secrets(), tmp_path)
    assert (hung.told, hung.slow, hung.said) == (False, True, "no answer in 2 s")
    stop = threading.Event()
    stop.set()
    assert tell(channel("hang"), message, secrets(), tmp_path, stop).stopped

    with_token = dataclasses.replace(channel("refuse"), environment={"DESK_TOKEN": SecretRef("env:TOKEN")})
    refused = tell(with_token, message, secrets(TOKEN="t0k"), tmp_path)
    assert refused.said == "exit code 1: the desk is closed: t0k", "the caller takes secrets out of it"
    assert not tell(with_token, message, secrets(), tmp_path).told

    environment = dataclasses.replace(channel("keep"), command=("sh", "-c", "env >&2; exit 3"))
    assert "OPERATORS_SECRET" not in tell(environment, message, secrets(), tmp_path).said
    missing = dataclasses.replace(channel("keep"), command=("no-such-program",))
    assert (
        tell(missing, message, secrets(), tmp_path).said
        == "'no-such-program' cannot be started: no such file or directory"
    )
    deaf = dataclasses.replace(message, body="x" * 1_000_000)
    unread = dataclasses.replace(channel("keep"), command=("true",))
    assert tell(unread, deaf, secrets(), tmp_path).told, "who does not read it may have done what it should"


def test_what_is_missing_is_said_with_what_to_type() -> None:
    assert MISSING == "apprise is not installed: pip install 'immy-nornir[telling]'"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pc1\r\nBcc: everybody@example.com", "pc1\\r\\nBcc: everybody\uff20example.com"),
        (
            "[click](https://x.example) <!channel> **now**",
            "(click)(https://x.example) \u2039!channel\u203a \u2217\u2217now\u2217\u2217",
        ),
        ("# a heading", "'# a heading"),
        ("<b>&amp;`rm`|~x~", "\u2039b\u203a+amp;'rm'\u00a6\u223cx\u223c"),
        ("\u202eabc", "\\u202eabc"),
        ("x" * 500, "x" * 397 + "..."),
        ("exit code 1603: software/alpha", "exit code 1603: software/alpha"),
    ],
)
def test_strangers_text_is_nothing_but_text(text: str, shown: str) -> None:
    assert harmless(text) == shown
    assert harmless(shown) == shown
