"""The way to a computer: its name, its port, its certificate; sockets of our own, each with a time of its own.

Not here: who is let in (remote.doctor.examine), and SSH, whose program knows the way better (remote.doctor.ssh_way).
"""

from __future__ import annotations

import errno
import hashlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from immy_nornir.model.health import Health, Line

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from immy_nornir.remote.winrm.endpoint import Endpoint

CONNECT_SECONDS = 8.0
SOON_DAYS = 21
"""A certificate that ends within so many days is worth a warning."""
_UNKNOWN_AUTHORITY = (18, 19, 20, 21)
"""X509_V_ERR codes of OpenSSL: self-signed, or signed by nobody that is trusted."""
_EXPIRED, _NOT_YET, _OTHER_NAME = 10, 9, (62, 64)


@dataclass(frozen=True, slots=True)
class Way:
    """How far it was possible to come."""

    lines: tuple[Line, ...]
    is_open: bool
    """Whether something listens there."""


def way(host: str, port: int, service: str) -> Way:
    """Name and port of a computer; `service` is what is to be set up where nothing listens."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        advice = "set ansible_host to an address, or mend its DNS record; a domain's names need its DNS server"
        return Way((Line("name", Health.PROBLEM, f"{host} is not found: {why}", advice),), is_open=False)
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    told = host if addresses == [host] else f"{host} is {', '.join(addresses[:4])}"
    name = Line("name", Health.OK, told)
    line, is_open = _port(found[0][4][0], port, service, [one[4] for one in found], [one[0] for one in found])
    return Way((name, line), is_open)


def _port(
    first: object, port: int, service: str, targets: list[tuple[object, ...]], families: list[socket.AddressFamily]
) -> tuple[Line, bool]:
    error: OSError | None = None
    for family, target in list(zip(families, targets, strict=True))[:2]:
        try:
            with socket.socket(family, socket.SOCK_STREAM) as one:
                one.settimeout(CONNECT_SECONDS)
                one.connect(target)
                return Line("port", Health.OK, f"{port} is open"), True
        except OSError as failed:
            error = failed
    if isinstance(error, ConnectionRefusedError):
        found = f"{port} is refused: {first} is on, and nothing listens there"
        return Line("port", Health.PROBLEM, found, f"{service}, or check ansible_port"), False
    if isinstance(error, TimeoutError) or (error is not None and error.errno == errno.ETIMEDOUT):
        found = f"{port} does not answer: {first} is off, or a firewall drops it"
        return Line(
            "port", Health.PROBLEM, found, f"switch it on; else open TCP {port} in the firewalls between"
        ), False
    why = error.strerror if error is not None and error.strerror else str(error)
    return Line(
        "port", Health.PROBLEM, f"{port} cannot be reached: {why}", "check ansible_host and the route (VPN?)"
    ), False


# --- certificates ---------------------------------------------------------------------------------------------


def certificate(endpoint: Endpoint, host: str, port: int, trust: ssl.SSLContext, now: float) -> Iterator[Line]:
    """The certificate of a computer, judged as a session would judge it."""
    try:
        shown = _shown(host, port)
    except (OSError, ValueError) as error:
        yield Line(
            "certificate", Health.PROBLEM, f"TLS fails: {_why(error)}", "is this port https? ansible_winrm_scheme"
        )
        return
    digest = hashlib.sha256(shown).hexdigest()
    told = _told(shown)
    pin = f"pin it: immy_certificate_sha256: {digest}"
    if endpoint.pin:
        if endpoint.pin.replace(":", "").lower() == digest:
            yield Line("certificate", Health.OK, f"it is the pinned one ({told})")
        else:
            found = f"it is not the pinned one: {digest} ({told})"
            yield Line("certificate", Health.PROBLEM, found, f"if it was renewed: immy_certificate_sha256: {digest}")
        return
    if not endpoint.validate:
        found = f"nobody checks it (ansible_winrm_server_cert_validation: ignore); {told}"
        yield Line("certificate", Health.WARNING, found, f"{pin}, and remove that variable")
        return
    try:
        with (
            socket.create_connection((host, port), CONNECT_SECONDS) as plain,
            trust.wrap_socket(plain, server_hostname=host),
        ):
            pass
    except ssl.SSLCertVerificationError as error:
        yield _refused(error, told, pin)
        return
    except OSError as error:
        yield Line("certificate", Health.PROBLEM, f"TLS fails: {_why(error)}", "is this port https?")
        return
    yield _valid(shown, told, now)


def _shown(host: str, port: int) -> bytes:
    """What the computer shows, whoever signed it."""
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((host, port), CONNECT_SECONDS) as plain,
        blind.wrap_socket(plain, server_hostname=host) as sealed,
    ):
        shown = sealed.getpeercert(binary_form=True)
    if not shown:
        raise ValueError("it shows no certificate")
    return shown


def _refused(error: ssl.SSLCertVerificationError, told: str, pin: str) -> Line:
    code = error.verify_code
    if code == _EXPIRED:
        found, advice = "it has expired", "renew it there, and give the https listener the new one"
    elif code == _NOT_YET:
        found, advice = "it is not valid yet", "check the clocks"
    elif code in _OTHER_NAME:
        found, advice = "it is for another name", f"use the name that it has as ansible_host, or {pin}"
    elif code in _UNKNOWN_AUTHORITY:
        found, advice = "nobody that is trusted has signed it", f"ansible_winrm_ca_trust_path: FILE, or {pin}"
    else:
        found, advice = error.verify_message, pin
    return Line("certificate", Health.PROBLEM, f"{found} ({told})", advice)


def _valid(shown: bytes, told: str, now: float) -> Line:
    parsed = _parsed(shown)
    if parsed is not None:
        days = (parsed.not_valid_after_utc - datetime.fromtimestamp(now, UTC)).days
        if days < SOON_DAYS:
            return Line("certificate", Health.WARNING, f"it ends in {days} days ({told})", "renew it in time")
    return Line("certificate", Health.OK, told)


def _parsed(shown: bytes) -> Certificate | None:
    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(shown)
    except ValueError:
        return None


def _told(shown: bytes) -> str:
    """For whom it is, by whom, and until when."""
    from cryptography import x509

    parsed = _parsed(shown)
    if parsed is None:
        return "it cannot be read"
    try:
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        for_ = ", ".join(str(one.value) for one in names)
    except (x509.ExtensionNotFound, ValueError):
        for_ = parsed.subject.rfc4514_string()
    by = "itself" if parsed.issuer == parsed.subject else parsed.issuer.rfc4514_string()
    return f"for {for_[:120]}, signed by {by[:120]}, until {parsed.not_valid_after_utc:%Y-%m-%d}"


def _why(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return str(error.reason).lower().replace("_", " ")
    return (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
