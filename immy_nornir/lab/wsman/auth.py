"""Who may talk to a computer of the lab: Basic, and NTLM with message encryption.

One Guard belongs to one connection. The one owner of pyspnego in the lab. Passwords stay inside.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import spnego
from spnego._ntlm_raw.crypto import ntowfv1  # the NT hash: no other form of an account allows a colon
from spnego.exceptions import SpnegoError

_ENVIRONMENT = Lock()
"""pyspnego's acceptor finds its accounts through a variable of the whole process."""

_BOUNDARY = b"--Encrypted Boundary"
_OCTETS = b"Content-Type: application/octet-stream\r\n"

CHALLENGES = ("Negotiate", "NTLM", 'Basic realm="WSMAN"')


@dataclass(frozen=True, slots=True)
class Allowed:
    """The request may go on; `account` is who asks."""

    account: str


@dataclass(frozen=True, slots=True)
class Challenge:
    """The client has to say more; `header` is the value of WWW-Authenticate."""

    header: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Wrong user or password; `account` as it was said, `challenge` false when nothing was said at all."""

    account: str = ""
    said: bool = False


Verdict = Allowed | Challenge | Refused


class Accounts:
    """One computer's user and password, in the forms that clients say them."""

    def __init__(self, username: str, password: str, computer: str, domain: str, folder: Path) -> None:
        self._password = password
        self._folder = folder
        self._file: Path | None = None
        own, _, user = username.rpartition("\\")
        self.names = {(own.upper(), user.upper()), ("", username.upper())}
        if not own:
            self.names |= {(one.upper(), user.upper()) for one in (computer, domain, ".")}

    def basic(self, header: str) -> Verdict:
        """Judge a Basic header."""
        try:
            said, _, password = base64.b64decode(header[6:], validate=True).decode("utf-8", "replace").partition(":")
        except binascii.Error:
            return Refused("", said=True)
        domain, _, user = said.rpartition("\\")
        known = (domain.upper(), user.upper()) in self.names
        same = hmac.compare_digest(password.encode(), self._password.encode())
        return Allowed(said) if known and same else Refused(said, said=True)

    def ntlm_file(self) -> Path:
        """The account in the form of smbpasswd, as pyspnego's acceptor reads it; readable by this user alone."""
        if self._file is None:
            digest = ntowfv1(self._password).hex().upper()
            lines = [f"{d}\\{u}" if d else u for d, u in sorted(self.names)]
            handle, name = tempfile.mkstemp(prefix="accounts-", dir=self._folder)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.writelines(f"{line}:0:{'0' * 32}:{digest}:[U]:LCT-0\n" for line in lines)
            self._file = Path(name)
        return self._file


class Guard:
    """The authentication of one connection: Basic for every request, or one NTLM context for all."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._allowed_header = ""
        self._allowed: Allowed | None = None
        self._context: Any = None
        self._prefix = ""

    def judge(self, header: str) -> Verdict:
        """Judge one request's Authorization header; empty when there is none."""
        if header and header == self._allowed_header and self._allowed:
            return self._allowed
        scheme, _, token = header.partition(" ")
        match scheme.lower():
            case "basic":
                verdict = self._accounts.basic(header)
                if isinstance(verdict, Allowed):
                    self._allowed_header, self._allowed = header, verdict
                return verdict
            case "negotiate" | "ntlm":
                return self._ntlm(scheme, token.strip())
            case "" if self._allowed is not None and self._context is not None:
                return self._allowed
            case _:
                return Refused("", said=bool(header))

    def _ntlm(self, scheme: str, token: str) -> Verdict:
        try:
            message = base64.b64decode(token, validate=True)
        except binascii.Error:
            return Refused("", said=True)
        try:
            with _ENVIRONMENT:
                before = os.environ.get("NTLM_USER_FILE")
                os.environ["NTLM_USER_FILE"] = str(self._accounts.ntlm_file())
                try:
                    # The first message of a handshake starts a new context: a client may authenticate again.
                    if self._context is None or message[8:12] == b"\x01\x00\x00\x00":
                        self._context, self._allowed = spnego.server(protocol="ntlm"), None
                    answer = self._context.step(message)
                finally:
                    if before is None:
                        os.environ.pop("NTLM_USER_FILE", None)
                    else:
                        os.environ["NTLM_USER_FILE"] = before
        except (SpnegoError, ValueError, struct.error):
            self._context = None
            return Refused("ntlm", said=True)
        if not self._context.complete:
            return Challenge(f"{scheme} {base64.b64encode(answer or b'').decode()}")
        self._allowed = Allowed(self._context.client_principal or "")
        return self._allowed

    @property
    def can_seal(self) -> bool:
        """Whether an NTLM context is there to open and seal bodies."""
        return self._context is not None and self._allowed is not None

    def unseal(self, body: bytes) -> bytes:
        """Open a multipart/encrypted body; raises ValueError when the seal is broken."""
        _, found, sealed = body.partition(_OCTETS)
        end = sealed.rfind(_BOUNDARY + b"--")
        if not found or end < 0 or not self.can_seal:
            raise ValueError("no sealed message")
        try:
            return bytes(self._context.unwrap(sealed[4:end]).data)
        except SpnegoError as error:
            raise ValueError("the seal does not fit") from error

    def seal(self, body: bytes) -> bytes:
        """Make a multipart/encrypted body."""
        data: bytes = self._context.wrap(body).data
        protocol = b"application/HTTP-SPNEGO-session-encrypted"
        return b"".join(
            (
                _BOUNDARY + b"\r\n\tContent-Type: " + protocol,
                b"\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d\r\n" % len(body),
                _BOUNDARY + b"\r\n\t" + _OCTETS + struct.pack("<i", 16) + data + _BOUNDARY + b"--\r\n",
            )
        )


SEALED_TYPE = 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"'
