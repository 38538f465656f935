"""Faults of WS-Management and statuses of HTTP -> what each means for us and what to do; one table, no network.

Codes and causes: "WinRM", the table of faults, in our reference of Windows settings; names: Microsoft's WsmErr.h and
winerror.h. Not here: whether a request had been sent before (remote.winrm.errors).
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class Means(Enum):
    """What follows from a fault."""

    NOTHING_YET = auto()
    """The time of the operation is over, the operation is not: ask again."""
    GONE = auto()
    """The shell or its command is not there any more."""
    PASSING = auto()
    """Of a moment: the service starts or ends, memory is short."""
    CROWDED = auto()
    """A quota is used up, which others will free."""
    TOO_LARGE = auto()
    """A message of this size is not taken."""
    DENIED = auto()
    """Who we are, or what we may, is not enough."""
    REFUSED = auto()
    """A setting of the computer, or of ours, stands against it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One code: what it means, a few words where the computer's own are not enough, and what to do."""

    means: Means
    what: str = ""
    advice: str = ""


_QUOTAS = "see its quotas: winrm get winrm/config/winrs"
_SIZE = 'raise its limit: winrm set winrm/config @{MaxEnvelopeSizekb="500"}'
_ADMIN = "use an administrator of this computer"
_ENDPOINT = "check ansible_port and ansible_winrm_path"
_RUN_AS = "mend or remove the account that its WinRM plugin runs as"
_PROXY = "something on the way answers for the computer: check ansible_winrm_proxy and ansible_port"
_FAILED = Fault(Means.PASSING, "WinRM's plugin failed", "where it stays so: is PowerShell or .NET broken there?")
_TLS = Fault(Means.REFUSED, "TLS is broken there", "check the certificate of its https listener")
_CREDSSP = Fault(Means.REFUSED, "a policy forbids to delegate credentials", "see ansible_winrm_transport")
_VIRTUAL = Fault(Means.REFUSED, "its endpoint wants a virtual account, which it does not support", _RUN_AS)
_ACCOUNT = Fault(Means.REFUSED, "the account that its endpoint runs as cannot log on", _RUN_AS)
_NOT_TRUSTED = Fault(Means.REFUSED, "", "it is not among the TrustedHosts, or needs explicit credentials: use https")
_TOO_LARGE = Fault(Means.TOO_LARGE, "", _SIZE)
_CROWDED = Fault(Means.CROWDED, "too many shells are open", _QUOTAS)
_BROKEN = Fault(Means.REFUSED, "it takes the message for invalid", "does a proxy on the way change messages?")

FAULTS: Final[Mapping[int, Fault]] = {
    5: Fault(Means.DENIED, "access denied", _ADMIN),
    14: Fault(Means.PASSING, "it has no memory left"),
    995: Fault(Means.PASSING, "the shell or the service ended"),
    1115: Fault(Means.PASSING, "it is shutting down"),
    1450: Fault(Means.PASSING, "its system resources are used up"),
    1722: Fault(Means.PASSING, "a service of it does not answer"),
    1726: Fault(Means.PASSING, "a service of it failed"),
    2150858752: Fault(Means.REFUSED, "", "is WinRM's shell plugin there? winrm quickconfig"),
    2150858811: Fault(Means.REFUSED, "", "is WinRM's shell plugin there? winrm quickconfig"),
    2150858753: _BROKEN,
    2150858767: _BROKEN,
    2150858819: _BROKEN,
    2150858770: Fault(Means.PASSING, "", "is WinRM running there?"),
    2150858790: _TOO_LARGE,
    2150858823: _TOO_LARGE,
    2150858824: _TOO_LARGE,
    2150858825: _TOO_LARGE,
    2150859025: _TOO_LARGE,
    2150858793: Fault(Means.NOTHING_YET),
    2150858806: Fault(Means.DENIED, "", "check ansible_user, ansible_password, ansible_winrm_transport"),
    2150858813: Fault(Means.GONE),
    2150858843: Fault(Means.GONE),
    2150858815: _CROWDED,
    2150858883: _FAILED,
    2150858906: _FAILED,
    2150858890: Fault(Means.REFUSED, "", "a group policy sets it, change it there"),
    2150858974: Fault(Means.REFUSED, "", "it takes nothing unencrypted: use https or ansible_winrm_transport: ntlm"),
    2150858977: Fault(Means.REFUSED, "", "see ansible_winrm_transport"),
    2150858978: Fault(Means.REFUSED, "", "see ansible_winrm_transport"),
    2150858980: _NOT_TRUSTED,
    2150858981: _NOT_TRUSTED,
    2150859019: Fault(Means.REFUSED, "", "Kerberos needs the computer's name in place of its address"),
    2150859195: Fault(Means.REFUSED, "", "Kerberos needs the computer's name in place of its address"),
    2150859020: Fault(Means.REFUSED, "", "a workgroup has no Kerberos: ansible_winrm_transport: ntlm"),
    2150859026: Fault(Means.PASSING, "WinRM is not ready"),
    2150859027: Fault(Means.REFUSED, "", _ENDPOINT),
    2150859029: Fault(Means.REFUSED, "", "its https listener has no certificate"),
    2150859046: Fault(Means.PASSING, "", "is it on, and does its firewall let WinRM through?"),
    2150859113: Fault(Means.REFUSED, "", "one of its networks is public: make it private, or allow its own subnet"),
    2150859120: Fault(Means.PASSING, "", _PROXY),
    2150859121: Fault(Means.PASSING, "", _PROXY),
    2150859123: Fault(Means.REFUSED, "a web page came from a proxy", _PROXY),
    2150859171: _CREDSSP,
    2150859172: _CREDSSP,
    2150859173: _CROWDED,
    2150859174: Fault(Means.CROWDED, "too many operations of this user", _QUOTAS),
    2150859175: Fault(Means.CROWDED, "the user's quota is used up", _QUOTAS),
    2150859176: Fault(Means.CROWDED, "the system's quota is used up", _QUOTAS),
    2150859179: Fault(Means.CROWDED, "too many users are connected", _QUOTAS),
    2150859180: Fault(Means.REFUSED, "", "set AllowRemoteShellAccess: winrm set winrm/config/winrs"),
    2150859193: Fault(Means.PASSING, "a name is not resolved"),
    2150859194: _TLS,
    2150859203: _ACCOUNT,
    2150859231: _ACCOUNT,
    2150859261: _ACCOUNT,
    2150859229: Fault(Means.REFUSED, "remote access is disabled", "Enable-PSRemoting on this computer"),
    2150859240: Fault(Means.CROWDED, "too many operations of this user", _QUOTAS),
    **dict.fromkeys(
        (2150859236, 2150859237, 2150859238, 2150859239, 2150859241),
        Fault(Means.CROWDED, "a quota of WinRM's shell plugin is used up", "see winrm get winrm/config/plugin"),
    ),
    2150859259: _VIRTUAL,
    2150859260: _VIRTUAL,
}
"""By WSManFault's Code: a number of WS-Management (2150858752 and up) or an error of Windows."""

SUBCODES: Final[tuple[tuple[str, Fault], ...]] = (
    ("InvalidSelectors", Fault(Means.GONE)),
    ("AccessDenied", FAULTS[5]),
    ("TimedOut", FAULTS[2150858793]),
    ("EncodingLimit", _TOO_LARGE),
    ("QuotaLimit", _CROWDED),
)
"""Subcodes of SOAP faults, for those without a number that is known."""

STATUSES: Final[Mapping[int, Fault]] = {
    400: Fault(
        Means.PASSING,
        "the computer does not know this conversation any more",
        "something on the way may close kept connections: try https",
    ),
    401: Fault(Means.DENIED, "refused", "check the user's rights and the transport"),
    403: Fault(Means.DENIED, "refused", "check the user's rights and the transport"),
    404: Fault(Means.REFUSED, "no WinRM answers there", _ENDPOINT),
    405: Fault(Means.REFUSED, "no WinRM answers there", _ENDPOINT),
    407: Fault(Means.REFUSED, "a proxy stands between that wants a password", "see ansible_winrm_proxy"),
    408: Fault(Means.PASSING, "the message came too slowly"),
    411: Fault(Means.REFUSED, "something on the way changes messages", _PROXY),
    413: Fault(Means.TOO_LARGE, "a message of this size is not let through", f"{_SIZE}, or the limit of the proxy"),
    429: Fault(Means.PASSING, "WinRM is not ready"),
    501: Fault(Means.REFUSED, "no WinRM answers there", _ENDPOINT),
    502: Fault(Means.PASSING, "WinRM is not ready"),
    503: Fault(Means.PASSING, "WinRM is not ready"),
    504: Fault(Means.PASSING, "WinRM is not ready"),
    511: Fault(Means.REFUSED, "the network wants a login of its own first", _PROXY),
}
"""By status, for answers that are no fault of WS-Management."""


def fault_of(code: int | None, subcode: str | None) -> Fault | None:
    """What a fault means, by its number and else by its subcode."""
    known = FAULTS.get(code or 0)
    named = (fault for end, fault in SUBCODES if (subcode or "").rpartition(":")[2].endswith(end))
    return known or next(named, None)


def web_page(content: bytes | str) -> str:
    """What an HTML page in place of an answer is, with its title; empty where it is none."""
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
    begin = re.sub(r"<!--.*?-->|<\?.*?>", "", text[:4000], flags=re.S).lstrip("\ufeff \t\r\n")
    if not re.match(r"<(!doctype\s+html|html|head|body|title)\b", begin, re.I):
        return ""
    found = re.search(r"<title[^>]*>(.*?)</title", text[:8000], re.I | re.S)
    title = "".join(one for one in " ".join(html.unescape(found[1] if found else "").split()) if one.isprintable())
    return f"a web page{f' ({title[:80]!r})' if title else ''}, as from a proxy"
