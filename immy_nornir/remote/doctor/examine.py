"""One computer looked over: its way, its login, and one reading request for all the rest. Sends no effect.

Lines come as they are found, so that a computer that hangs has told what was found until then. Whether a job could be
written is read off rights and free space; nothing is written for it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources

from immy_nornir.decide.detect.identity import expectation, identity_mismatch
from immy_nornir.decide.health import doctor
from immy_nornir.errors import AuthenticationError, CertificateError, ImmyError, RefusedError, TransportError
from immy_nornir.model.health import Health, Line, LookedAt
from immy_nornir.model.items import Language
from immy_nornir.model.protocols import Address, Clock, Connect, Reader, Secrets
from immy_nornir.model.values import Json
from immy_nornir.model.wire import Answer, AnswerStatus, Read, ReadOperation
from immy_nornir.remote.doctor import ssh_way, way
from immy_nornir.remote.local import truth

PROBE_SECONDS = 40.0
PROBE = "doctor"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What looking needs beside the address."""

    connect: Connect
    secrets: Secrets
    clock: Clock


def examine(address: Address, pinned: Mapping[str, str], around: Surroundings) -> Iterator[Line]:
    """Everything about one computer, in the order in which a session would meet it; stops where it cannot go on."""
    match address.kind:
        case "winrm":
            lines, before = _winrm(address, around), None
        case "ssh":
            going = ssh_way.route(address)
            lines, before = _ssh(going), functools.partial(ssh_way.failed, going)
        case _:
            lines, before = iter([Line("name", Health.OK, "this machine")]), None
    for line in lines:
        yield line
        if line.health is Health.PROBLEM:
            return
    yield from _inside(address, pinned, around, before)


def _winrm(address: Address, around: Surroundings) -> Iterator[Line]:
    from urllib.parse import urlsplit

    from immy_nornir.remote.winrm.endpoint import endpoint_of, trust_of

    try:
        endpoint = endpoint_of(address, around.secrets)
    except ImmyError as error:
        yield Line("variables", Health.PROBLEM, error.message, error.advice)
        return
    if endpoint.proxy:
        yield Line("name", Health.OK, f"reached through the proxy {endpoint.proxy.rpartition('@')[2]}")
        return
    parts = urlsplit(endpoint.url)
    port = parts.port or 0
    found = way.way(endpoint.host.strip("[]"), port, "Enable-PSRemoting -Force there, as administrator")
    yield from found.lines
    if found.is_open and parts.scheme == "https":
        try:
            trust = trust_of(endpoint)
        except (OSError, ValueError) as error:
            told = f"the authorities or the certificate of ours cannot be read: {error}"
            yield Line("certificate", Health.PROBLEM, told, "check ansible_winrm_ca_trust_path")
            return
        yield from way.certificate(endpoint, endpoint.host.strip("[]"), port, trust, around.clock.now())


def _ssh(going: ssh_way.Route) -> Iterator[Line]:
    if going.through:
        yield Line("name", Health.OK, f"{going.host}:{going.port}, reached through {going.through[:120]}")
        return
    yield from way.way(going.host, going.port, "start sshd there").lines


def _inside(
    address: Address, pinned: Mapping[str, str], around: Surroundings, key: Callable[[str], Line | None] | None
) -> Iterator[Line]:
    """The login, and what the computer says of itself."""
    asked_at = around.clock.now()
    try:
        connection = around.connect(address)
    except ImmyError as error:
        yield Line("login", Health.PROBLEM, error.message, error.advice)
        return
    try:
        reader: Reader = connection
        identity, _ = reader.meet(expectation(pinned), ())
        heard_at = around.clock.now()
        if key is not None:
            yield ssh_way.known_key(address.settings)
        yield Line("login", Health.OK, f"as {address.username or 'the user that ssh chooses'}" if key else _as(address))
        seen = LookedAt(identity, {}, asked_at, heard_at, pinned, address.kind, _becomes(address))
        if identity_mismatch(pinned, identity):  # nothing is asked of another computer than is meant
            yield from (Line("identity", *found) for found in doctor.identity(seen))
            return
        told, trouble = _told(reader.read([_probe(address)])[PROBE])
        yield from trouble
        yield from doctor.lines_of(replace(seen, told=told))
    except ImmyError as error:
        yield (key(error.said) if key is not None and isinstance(error, TransportError) else None) or _failed(error)
    finally:
        connection.close()


def _as(address: Address) -> str:
    return f"as {address.username}" if address.username else "as the user that runs immy"


def _becomes(address: Address) -> bool:
    return bool(truth(address.settings, "ansible_become", unsaid=False)) if address.kind != "winrm" else False


def _failed(error: ImmyError) -> Line:
    """What a failed login means."""
    if isinstance(error, AuthenticationError):
        more = "an account that is expired, locked or disabled is refused in the same words"
        return Line("login", Health.PROBLEM, error.message, "; ".join(one for one in (error.advice, more) if one))
    if isinstance(error, CertificateError):
        return Line("certificate", Health.PROBLEM, error.message, error.advice)
    if isinstance(error, RefusedError):
        return Line("shell", Health.PROBLEM, error.message, error.advice)
    kind = f"{error.kind}: " if isinstance(error, TransportError) else ""
    return Line("login", Health.PROBLEM, f"{kind}{error.message}", error.advice)


def _probe(address: Address) -> ReadOperation:
    is_windows = address.kind == "winrm"
    place = str(address.settings.get("immy_spool") or "")
    params: dict[str, Json] = {} if not place else {"spool" if is_windows else "place": place}
    return ReadOperation(
        PROBE,
        Read.SCRIPT,
        {"purpose": "doctor", "item": PROBE, "params": params},
        _script("windows.ps1" if is_windows else "posix.sh"),
        Language.POWERSHELL if is_windows else Language.SH,
        PROBE_SECONDS,
    )


@functools.cache
def _script(name: str) -> str:
    return resources.files(__package__).joinpath("scripts", name).read_text("utf-8").replace("\r\n", "\n")


def _told(answer: Answer) -> tuple[Mapping[str, Json], list[Line]]:
    """The probe's answer as a map, and a line where it has none."""
    if answer.status is not AnswerStatus.OK:
        why = answer.error or answer.status.value
        return {}, [Line("probe", Health.WARNING, f"what it says of itself is not whole: {why}"[:300])]
    if isinstance(answer.result, Mapping):
        return answer.result, []
    if isinstance(answer.result, str):
        return dict(line.split("\t", 1) for line in answer.result.splitlines() if "\t" in line), []
    return {}, [Line("probe", Health.WARNING, "what it says of itself cannot be read")]
