"""The way to a computer over SSH, by the programs of OpenSSH, so that the operator's configuration holds.

`ssh -G` says where a name leads and through whom; what `ssh` says of a host key becomes a line with its fingerprint.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from immy_nornir.children import clean_environment
from immy_nornir.errors import TransportError
from immy_nornir.model.health import Health, Line
from immy_nornir.model.protocols import Address
from immy_nornir.remote.local import run_program, truth

_SECONDS = 15.0
_OWN_KEY = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"


@dataclass(frozen=True, slots=True)
class Route:
    """Where ssh would go."""

    host: str
    port: int
    through: str = ""
    """The bastion or program between, whose own way is not looked at."""


def route(address: Address) -> Route:
    """Where ssh would go for an address, by the operator's configuration."""
    settings = address.settings
    command = [str(settings.get("ansible_ssh_executable") or "ssh"), "-G"]
    for name in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
        try:
            command += shlex.split(str(settings.get(name) or ""))
        except ValueError:
            continue  # said where the connection is made
    command += ["-p", str(address.port)] if address.port else []
    said = _run([*command, "--", address.host])
    told = dict(line.split(" ", 1) for line in said.splitlines() if " " in line)
    port = told.get("port", "")
    through = next((told[one] for one in ("proxyjump", "proxycommand") if told.get(one, "none") != "none"), "")
    return Route(told.get("hostname", address.host), int(port) if port.isdigit() else address.port or 22, through)


def host_key(going: Route, said: str) -> Line | None:
    """What ssh's words on a failed login say of the host key; None where they do not speak of it."""
    name = going.host if going.port == 22 else f"[{going.host}]:{going.port}"
    scan = shlex.join(["ssh-keyscan", "-p", str(going.port), going.host])
    if re.search(r"remote host identification has changed", said, re.IGNORECASE):
        shown = re.search(r"SHA256:[\w+/=]+", said)
        known = re.search(r"Offending \S+ key in (.+?):(\d+)", said)
        told = f"it has changed{f', it is {shown[0]} now' if shown else ''}"
        told += f"; another one is known in {known[1]}, line {known[2]}" if known else ""
        advice = (
            f"somebody may stand between. If the computer was installed anew, compare it there ({_OWN_KEY}), "
            f"then: ssh-keygen -R {shlex.quote(name)}"
        )
        return Line("host key", Health.PROBLEM, told, advice)
    if re.search(r"host key is known|host key verification failed", said, re.IGNORECASE):
        prints = "" if going.through else fingerprints(going)
        told = f"it is not known yet{f': {prints}' if prints else ''}"
        advice = f"compare it there ({_OWN_KEY}), then: {scan} >> ~/.ssh/known_hosts"
        return Line("host key", Health.PROBLEM, told, advice)
    if re.search(r"revoked", said, re.IGNORECASE):
        return Line("host key", Health.PROBLEM, "it is revoked", "see RevokedHostKeys in ssh's configuration")
    if re.search(r"no matching host key type", said, re.IGNORECASE):
        told = "both sides have no kind of host key in common"
        advice = "update its sshd; for old devices: ansible_ssh_common_args: -oHostKeyAlgorithms=+ssh-rsa"
        return Line("host key", Health.PROBLEM, told, advice)
    return None


_TURNED_AWAY: tuple[tuple[str, str], ...] = (
    (r"account has expired", "usermod --expiredate '' USER there"),
    (r"password has expired|must change your password|password change required", "log on there once, and change it"),
    (r"account is (locked|disabled)|account locked", "passwd --unlock USER, or faillock --user USER --reset there"),
    (r"not allowed|denied by|access denied", "see AllowUsers, DenyUsers and pam_access there"),
    (r"too many authentication failures", "the agent offers too many keys: ansible_ssh_private_key_file names one"),
    (r"unprotected private key|bad permissions", "chmod 600 the key's file"),
    (r"incorrect passphrase|invalid format", "load the key into ssh-agent, or name another file"),
)
"""What sshd, PAM and ssh say when somebody is not let in, and what to do; the last lines of it count."""


def turned_away(said: str) -> Line | None:
    """What the other side said when it did not let us in; None where it says nothing that is known."""
    for pattern, advice in _TURNED_AWAY:
        found = next((one.strip() for one in said.splitlines() if re.search(pattern, one, re.IGNORECASE)), "")
        if found:
            return Line("login", Health.PROBLEM, found[:300], advice)
    return None


def failed(going: Route, said: str) -> Line | None:
    """The line for what ssh said of a login that failed; None where its words are not known."""
    return host_key(going, said) or turned_away(said)


def known_key(settings: Mapping[str, object]) -> Line:
    """The line of a computer that let us in."""
    if truth(settings, "ansible_host_key_checking", unsaid=True):
        return Line("host key", Health.OK, "it is the known one")
    told = "nobody checks it (ansible_host_key_checking: false)"
    return Line("host key", Health.WARNING, told, "let ssh know the key, and remove that variable")


def fingerprints(going: Route) -> str:
    """Fingerprints of the keys that a computer shows; empty where it shows none."""
    scanned = _run(["ssh-keyscan", "-T", "5", "-p", str(going.port), going.host])
    if not scanned.strip():
        return ""
    said = _run(["ssh-keygen", "-lf", "-"], scanned.encode())
    found = re.findall(r"(SHA256:\S+).*\((\w+)\)", said)
    return ", ".join(f"{digest} ({kind})" for digest, kind in found)


def _run(command: Sequence[str], payload: bytes = b"") -> str:
    """What a program of OpenSSH says; empty where there is none, or it takes too long."""
    try:
        answer = run_program(command, payload, _SECONDS, clean_environment() | {"LC_ALL": "C"})
    except TransportError:
        return ""
    return answer.stdout.decode("utf-8", "replace")
