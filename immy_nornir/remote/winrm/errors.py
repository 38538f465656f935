"""Every exception of pywinrm, requests, urllib3 and spnego -> our tree of transport errors, once and here.

Messages name the computer and what happened; never a URL with a user, never a header, never a body.
"""

from __future__ import annotations

import http.client
import re
import ssl
from enum import Enum
from typing import Protocol
from xml.etree import ElementTree as ET

import requests
import spnego.exceptions
import urllib3.exceptions
import winrm.exceptions

from immy_nornir.errors import (
    AuthenticationError,
    CertificateError,
    DeclinedError,
    DroppedError,
    GarbledError,
    NotAcceptedError,
    RefusedError,
    TransportError,
    TransportTimeoutError,
    UnreachableError,
    inside,
    lacking,
    no_room,
)
from immy_nornir.remote.winrm.exchange_limits import TooMuchError, TooSlowError
from immy_nornir.remote.winrm.faults import STATUSES, Fault, Means, fault_of, web_page

FOREIGN = (
    winrm.exceptions.WinRMError,
    winrm.exceptions.WinRMTransportError,
    winrm.exceptions.WinRMOperationTimeoutError,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    spnego.exceptions.SpnegoError,
    ET.ParseError,
    OSError,
    # pywinrm takes answers apart without looking: a strange one gives any of these.
    AssertionError,
    AttributeError,
    LookupError,
    StopIteration,
    TypeError,
    ValueError,
)
PROXY_WANTS_PASSWORD = 407
PAGE_ADVICE = "something on the way answers for the computer: check ansible_winrm_proxy and ansible_port"


class Stage(Enum):
    """How far a request was."""

    OPEN = "opening the connection"
    START = "starting PowerShell"
    SEND = "sending the request"
    RECEIVE = "reading the answer"


class Named(Protocol):
    """Something with the computer's address."""

    @property
    def host(self) -> str:
        """Name or number."""
        ...


def mapped(error: BaseException, stage: Stage, endpoint: Named) -> TransportError:
    """The error of ours that a foreign exception means at that stage."""
    at = f"{endpoint.host}, {stage.value}"
    if told := lacking(error):
        return no_room(told, f"to speak to {at}")
    if isinstance(error, winrm.exceptions.WinRMOperationTimeoutError):
        return TransportTimeoutError(f"{at}: the operation timed out")
    if isinstance(error, winrm.exceptions.AuthenticationError | spnego.exceptions.SpnegoError):
        return AuthenticationError(
            f"{at}: the user or password was refused", "check ansible_user, ansible_password, ansible_winrm_transport"
        )
    if isinstance(error, winrm.exceptions.WSManFaultError):
        return _begun(_fault(error, stage, at), stage)
    if isinstance(error, winrm.exceptions.WinRMTransportError):
        return _begun(_status(error, stage, at), stage)
    if isinstance(error, winrm.exceptions.WinRMError):
        return _pywinrm(error, at)
    if isinstance(
        error, requests.RequestException | urllib3.exceptions.HTTPError | http.client.HTTPException | OSError
    ):
        return _begun(_network(error, stage, at), stage)
    return GarbledError(f"{at}: the answer is not WS-Management")


class ClearAnswerError(requests.RequestException):
    """An answer in clear to a sealed message: anybody on the way may have written it."""


class CrowdedError(DroppedError):
    """A quota of the computer is used up at this moment."""


class TooLargeError(DeclinedError):
    """The computer takes no message of this size: what was to be sent did not arrive."""


def _begun(error: TransportError, stage: Stage) -> TransportError:
    """A refusal after the request was sent: what was asked for may be at work, so that nothing is known of it."""
    if (
        isinstance(error, RefusedError)
        and stage in (Stage.SEND, Stage.RECEIVE)
        and not isinstance(error, TooLargeError)
    ):
        return DroppedError(error.message, error.advice)
    return error


def _fault(error: winrm.exceptions.WSManFaultError, stage: Stage, at: str) -> TransportError:
    reason = " ".join(str(error.reason).split())[:300]
    fault = fault_of(error.wsman_fault_code, error.fault_subcode)
    if fault is None:
        code = error.wsman_fault_code or error.fault_subcode or "without a code"
        return RefusedError(f"{at}: {reason} (fault {code})")
    code = f" (fault {error.wsman_fault_code})" if error.wsman_fault_code else ""
    return _meant(fault, stage, at, f"{fault.what}: {reason}{code}" if fault.what else f"{reason}{code}")


def is_passing(error: winrm.exceptions.WSManFaultError) -> bool:
    """Whether the same may be asked for again with success."""
    fault = fault_of(error.wsman_fault_code, error.fault_subcode)
    return fault is not None and fault.means in (Means.PASSING, Means.CROWDED, Means.NOTHING_YET)


def _meant(fault: Fault, stage: Stage, at: str, said: str) -> TransportError:
    """The error of ours for what a fault or a status means; `said` is what happened."""
    message = f"{at}: {said}"
    match fault.means:
        case Means.NOTHING_YET:
            return TransportTimeoutError(f"{at}: the operation timed out")
        case Means.GONE:
            return DroppedError(f"{at}: the shell is gone")
        case Means.PASSING:
            return DroppedError(message, fault.advice)
        case Means.CROWDED:
            return CrowdedError(message, fault.advice)
        case Means.DENIED:
            return AuthenticationError(message, fault.advice)
        case Means.TOO_LARGE:
            return (TooLargeError if stage is Stage.SEND else RefusedError)(message, fault.advice)
        case Means.REFUSED:
            return RefusedError(message, fault.advice)


def _status(error: winrm.exceptions.WinRMTransportError, stage: Stage, at: str) -> TransportError:
    page = web_page(error.response_text)
    came = f"HTTP {error.code} with {page}" if page else f"HTTP {error.code}"
    fault = STATUSES.get(error.code)
    if fault is not None:
        return _meant(fault, stage, at, f"{fault.what} ({came})")
    if page:
        return GarbledError(f"{at}: the answer is not WS-Management but {page} (HTTP {error.code})", PAGE_ADVICE)
    return GarbledError(f"{at}: HTTP {error.code} without a reason")


def not_wsman(content: bytes, stage: Stage, endpoint: Named, beyond: str = "") -> GarbledError:
    """The error for an answer that is no envelope; says so where it is a web page, and why else it is not read."""
    at, page = f"{endpoint.host}, {stage.value}", web_page(content)
    if page:
        return GarbledError(f"{at}: the answer is not WS-Management but {page}", PAGE_ADVICE)
    if beyond:
        return GarbledError(f"{at}: the answer {beyond}, as none of WinRM has")
    return GarbledError(f"{at}: the answer is not WS-Management")


def _pywinrm(error: winrm.exceptions.WinRMError, at: str) -> TransportError:
    text = str(error)
    if "not installed" in text:
        return AuthenticationError(f"{at}: {text}", "install pywinrm with that extra, or use ntlm")
    if "message encryption" in text or "auth method" in text:
        return AuthenticationError(f"{at}: {text[:200]}", "see ansible_winrm_transport")
    return GarbledError(f"{at}: the answer is not what WinRM answers")


def _network(error: BaseException, stage: Stage, at: str) -> TransportError:
    causes = inside(error)
    if isinstance(error, PermissionError):  # so say the libraries of NTLM and Kerberos, without a word on the network
        return AuthenticationError(
            f"{at}: the computer does not take this way of authentication", "see ansible_winrm_transport"
        )
    if any(
        isinstance(cause, requests.exceptions.SSLError | ssl.SSLError | urllib3.exceptions.SSLError) for cause in causes
    ):
        return _tls(causes, at)
    if isinstance(error, requests.exceptions.ProxyError):
        return _proxy(causes, at)
    if isinstance(error, ClearAnswerError):
        return GarbledError(
            f"{at}: a sealed message was answered in clear, which is not believed{error}",
            "somebody on the way may answer for the computer: use https",
        )
    if isinstance(error, TooMuchError):
        return GarbledError(f"{at}: {error}, which is no answer of WinRM")
    if isinstance(error, TooSlowError):
        return (TransportTimeoutError if stage is Stage.OPEN else DroppedError)(f"{at}: the answer was {error}")
    if isinstance(error, requests.TooManyRedirects):
        return GarbledError(f"{at}: the computer redirects to somewhere else")
    unreached = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError, requests.ConnectTimeout)
    if any(isinstance(cause, unreached) for cause in causes):
        if stage is Stage.OPEN:
            refused = any(isinstance(cause, ConnectionRefusedError) for cause in causes)
            return (NotAcceptedError if refused else UnreachableError)(f"{at}: no connection ({_why(causes)})")
        return DroppedError(f"{at}: the connection was lost and cannot be opened again ({_why(causes)})")
    if isinstance(error, requests.ReadTimeout) or any(isinstance(one, TimeoutError) for one in causes):
        if stage is Stage.OPEN:
            return TransportTimeoutError(f"{at}: no answer")
        return DroppedError(f"{at}: no answer, and whether it arrived is not known")
    return DroppedError(f"{at}: the connection ended ({_why(causes)})")


def _proxy(causes: list[BaseException], at: str) -> TransportError:
    """What the proxy of `ansible_winrm_proxy` said, if it said anything; the computer itself was not reached."""
    text = " ".join(str(cause) for cause in causes)
    status = int(found[1]) if (found := re.search(r"Tunnel connection failed: (\d{3})", text)) else 0
    if not status:
        return UnreachableError(f"{at}: the proxy cannot be reached ({_why(causes)})", "see ansible_winrm_proxy")
    said, advice = f"{at}: the proxy does not let it through (HTTP {status})", "see ansible_winrm_proxy"
    fault = STATUSES.get(status)
    if fault is not None and fault.means is Means.PASSING:
        return DroppedError(said, advice)
    wants = ": it wants a password" if status == PROXY_WANTS_PASSWORD else ""
    return RefusedError(said + wants, advice)


def _tls(causes: list[BaseException], at: str) -> TransportError:
    text = " ".join(str(cause) for cause in causes)
    if "CERTIFICATE_VERIFY_FAILED" in text or "ingerprint" in text or "doesn't match" in text:
        advice = "give ansible_winrm_ca_trust_path, pin it with immy_certificate_sha256, or see the certificate's name"
        return CertificateError(f"{at}: the certificate is not trusted ({_verdict(causes)})", advice)
    if "EOF" in text or "reset" in text.lower():
        return DroppedError(f"{at}: the TLS connection ended")
    return CertificateError(f"{at}: TLS failed ({_verdict(causes)})", "is this port https?")


def _verdict(causes: list[BaseException]) -> str:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        if isinstance(cause, ssl.SSLError) and cause.reason:
            return str(cause.reason).lower().replace("_", " ")
    return "the fingerprint differs" if any("ingerprint" in str(cause) for cause in causes) else "no reason told"


_ENDS: tuple[tuple[type[BaseException], str], ...] = (
    (http.client.RemoteDisconnected, "nothing was answered"),
    (http.client.IncompleteRead, "the answer was cut off"),
    (http.client.BadStatusLine, "the answer is not HTTP"),
    (http.client.HTTPException, "the answer is no sound HTTP"),
    (urllib3.exceptions.IncompleteRead, "the answer was cut off"),
    (urllib3.exceptions.DecodeError, "the answer cannot be unpacked"),
    (TimeoutError, "no answer"),
)


def _why(causes: list[BaseException]) -> str:
    """The innermost word of the operating system, without addresses or headers."""
    for cause in reversed(causes):
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, requests.RequestException):
            return cause.strerror
    return next((said for one in reversed(causes) for kind, said in _ENDS if isinstance(one, kind)), "no reason told")
