"""What goes wrong at one moment of a conversation: what it means for what was asked, and what is done about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from immy_nornir.errors import (
    AuthenticationError,
    DeclinedError,
    DroppedError,
    GarbledError,
    RefusedError,
    TransportError,
)
from immy_nornir.lab import ComputerSpec, Lab, Trouble
from immy_nornir.lab.wsman.trouble import NOTHING_NEW
from immy_nornir.model.protocols import Address
from immy_nornir.model.wire import JobSpec, JobState, Read, ReadOperation
from immy_nornir.remote.windows.connection import PowerShellConnection
from immy_nornir.remote.winrm import transport
from immy_nornir.remote.winrm.faults import FAULTS, Means
from immy_nornir.remote.winrm.transport import connect
from tests.remote.winrm.test_transport import PASSWORD, RealClock, Vault

BASIC: dict[str, Any] = {"ansible_winrm_transport": "basic", "immy_allow_plain_basic": True}
NTLM: dict[str, Any] = {"ansible_winrm_transport": "ntlm"}
PAGE = b"<!DOCTYPE html><html><head><title>Proxy &amp; login</title></head><body>sign in</body></html>"


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab([ComputerSpec("pc", "127.0.6.1", password=PASSWORD)], https_port=None) as lab:
        yield lab


Line = Callable[..., PowerShellConnection]


@pytest.fixture
def line(lab: Lab) -> Iterator[Line]:
    """Makes connections to the computer, which are closed at the end."""
    made: list[PowerShellConnection] = []

    def make(settings: dict[str, Any] = BASIC) -> PowerShellConnection:
        given = {"ansible_winrm_scheme": "http", **settings}
        made.append(
            connect(Address("pc", "winrm", "127.0.6.1", lab.port, "immy", PASSWORD, given), Vault(), RealClock())
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


def job(name: str = "s/task/1", size: int = 0) -> JobSpec:
    # It must not compress well.
    text = "".join(hex(number * 7919 % 999_983) for number in range(size))
    return JobSpec(name, "script", {"script": text}, item="task/x")


# --- a refusal, and how far the request was ----------------------------------------------------------------------


def test_every_code_of_the_reference_has_a_meaning_and_an_invalid_message_is_not_a_large_one() -> None:
    assert len(FAULTS) >= 60
    assert FAULTS[2150858819].means is Means.REFUSED
    large = (2150858790, 2150858823, 2150858824, 2150858825, 2150859025)
    assert {code for code, fault in FAULTS.items() if fault.means is Means.TOO_LARGE} == set(large)
    assert all(FAULTS[code].means is Means.PASSING for code in (995, 1450, 2150859026))


@pytest.mark.parametrize("code", [*FAULTS, 4711])
def test_after_the_request_was_sent_no_fault_says_that_nothing_was_started(lab: Lab, line: Line, code: int) -> None:
    connection = line()
    connection.identify()
    lab.trouble("pc", Trouble("Receive", fault=code, operation="job.start"))
    if FAULTS.get(code) is not None and FAULTS[code].means is Means.NOTHING_YET:
        assert connection.start_job(job()).created
    else:
        with pytest.raises(TransportError) as caught:
            connection.start_job(job())
        assert not isinstance(caught.value, RefusedError)
        assert not caught.value.nothing_sent
    assert len(lab.events("job_created")) == 1
    assert line().start_job(job()).state is JobState.FINISHED
    assert len(lab.events("job_created")) == 1


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (400, DroppedError, "conversation"),
        (403, AuthenticationError, "HTTP 403"),
        (404, RefusedError, "no WinRM answers there"),
        (407, RefusedError, "wants a password"),
        (413, RefusedError, "not let through (HTTP 413"),
        (418, GarbledError, "not WS-Management but a web page ('Proxy & login')"),
        (503, DroppedError, "not ready (HTTP 503 with a web page ('Proxy & login'), as from a proxy)"),
        (200, GarbledError, "not WS-Management but a web page ('Proxy & login')"),
    ],
)
@pytest.mark.parametrize("settings", [BASIC, NTLM], ids=["basic", "ntlm"])
def test_at_its_start_a_request_that_is_refused_was_not_sent(
    lab: Lab, line: Line, settings: dict[str, Any], status: int, error: type[TransportError], words: str
) -> None:
    connection = line(settings)
    connection.identify()
    lab.trouble("pc", Trouble("Command", status=status, body=PAGE))
    with pytest.raises(error) as caught:
        connection.start_job(job())
    assert caught.value.nothing_sent
    assert not isinstance(caught.value, DeclinedError)  # asked again, it may well be done
    said = str(caught.value)
    if (settings, status) == (NTLM, 200):
        assert "answered in clear" in said
        assert "a web page ('Proxy & login')" in said
    else:
        assert words in said
    assert lab.events("job_created") == []


@pytest.mark.parametrize("status", [404, 407, 413])
def test_after_the_request_was_sent_a_status_says_nothing_of_it(lab: Lab, line: Line, status: int) -> None:
    connection = line()
    connection.identify()
    lab.trouble("pc", Trouble("Receive", status=status, body=PAGE, operation="job.start"))
    with pytest.raises(DroppedError) as caught:
        connection.start_job(job())
    assert not caught.value.nothing_sent


# --- too large ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [{"fault": 2150858824}, {"status": 413}], ids=["fault", "status"])
def test_a_request_that_is_too_large_goes_in_smaller_pieces(lab: Lab, line: Line, how: dict[str, Any]) -> None:
    connection = line()
    trouble = lab.trouble("pc", Trouble("Send", larger_than=40_000, times=99, **how))
    assert connection.start_job(job(size=60_000)).created
    assert trouble.met == 1  # and the connection remembers
    assert connection.start_job(job("s/task/2", size=60_000)).created
    assert trouble.met == 1


def test_a_request_of_which_the_beginning_was_not_taken_was_not_begun(lab: Lab, line: Line) -> None:
    connection = line()
    connection.identify()
    lab.trouble("pc", Trouble("Send", fault=2150858824, times=99))
    with pytest.raises(DeclinedError, match="The lab was told"):
        connection.start_job(job(size=60_000))
    assert lab.events("job_created") == []


def test_a_last_piece_that_was_refused_may_have_arrived(lab: Lab, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "SMALLEST_SEND_BYTES", 10**9)
    connection = line()
    connection.identify()
    lab.trouble("pc", Trouble("Send", fault=2150858824, times=99))
    with pytest.raises(DroppedError):
        connection.start_job(job())


# --- cleaning up --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [BASIC, NTLM], ids=["basic", "ntlm"])
@pytest.mark.parametrize("how", [{"fault": 2150858843}, {"fault": 5}, {"fault": 4711}, {"status": 404}])
def test_a_command_that_cannot_be_cleaned_up_does_not_fail_the_next_request(
    lab: Lab, line: Line, settings: dict[str, Any], how: dict[str, Any]
) -> None:
    connection = line(settings)
    connection.identify()
    trouble = lab.trouble("pc", Trouble("Signal", **how))
    assert connection.start_job(job()).state is JobState.FINISHED
    assert trouble.met == 1


def test_a_connection_that_ended_while_cleaning_up_is_not_the_fate_of_the_next_request(lab: Lab, line: Line) -> None:
    connection = line()
    connection.identify()
    trouble = lab.trouble("pc", Trouble("Signal", reset=True))
    assert connection.start_job(job()).state is JobState.FINISHED
    assert trouble.met == 1


def test_a_sealed_conversation_that_ended_while_cleaning_up_is_lost_with_nothing_sent(lab: Lab, line: Line) -> None:
    connection = line(NTLM)
    connection.identify()
    lab.trouble("pc", Trouble("Signal", reset=True))
    with pytest.raises(DroppedError) as caught:
        connection.start_job(job())
    assert caught.value.nothing_sent
    assert connection.start_job(job()).state is JobState.FINISHED


@pytest.mark.parametrize("how", [{"fault": 1450}, {"status": 503}, {"reset": True}], ids=["fault", "status", "reset"])
def test_a_shell_that_could_not_be_deleted_is_deleted_at_the_next_contact(
    lab: Lab, line: Line, how: dict[str, Any]
) -> None:
    first = line()
    first.identify()
    lab.trouble("pc", Trouble("Delete", **how))
    first.close()
    assert lab.shells() == {"pc": 1}
    second = line()
    second.identify()
    second.close()
    assert lab.shells() == {}


def test_a_shell_that_was_left_makes_room_where_the_quota_is_used_up(lab: Lab, line: Line) -> None:
    first = line()
    first.identify()
    lab.trouble("pc", Trouble("Delete", status=503))
    first.close()
    lab.trouble("pc", Trouble("Create", fault=2150859173))
    assert line().identify().name == "pc"
    assert lab.shells() == {"pc": 1}


# --- pace ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [BASIC, NTLM], ids=["basic", "ntlm"])
@pytest.mark.parametrize("how", ["nothing new", "its time is over"])
def test_answers_that_come_at_once_without_news_are_paced(
    lab: Lab, line: Line, settings: dict[str, Any], how: str
) -> None:
    connection = line(settings)
    begun = time.monotonic()
    given: dict[str, Any] = {"fault": 2150858793}
    if how == "nothing new":
        given = {"status": 200, "body": NOTHING_NEW, "kind": "application/soap+xml;charset=UTF-8"}
    trouble = lab.trouble("pc", Trouble("Receive", times=5, **given))
    assert connection.identify().name == "pc"
    assert trouble.met == 5
    assert time.monotonic() - begun > 0.1 + 0.2 + 0.4 + 0.8 + 1.0


# --- sealed -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["Create", "Command", "Send", "Receive"])
def test_an_answer_in_clear_to_a_sealed_message_is_not_believed(lab: Lab, line: Line, action: str) -> None:
    connection = line(NTLM)
    lab.trouble("pc", Trouble(action, clear=True))
    with pytest.raises(GarbledError, match="in clear, which is not believed"):
        connection.identify()


def test_a_fault_in_clear_to_a_sealed_message_is_not_believed(lab: Lab, line: Line) -> None:
    connection = line(NTLM)
    connection.identify()
    fault = b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body/></s:Envelope>'
    for status, error in ((500, GarbledError), (404, RefusedError)):
        lab.trouble("pc", Trouble("Command", status=status, body=fault, kind="text/html"))
        with pytest.raises(error) as caught:
            connection.read([ReadOperation("software", Read.SOFTWARE)])
        assert caught.value.nothing_sent
        connection.close()
