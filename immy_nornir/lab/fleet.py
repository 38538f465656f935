"""An inventory's computers on 127.0.0.0/8 -> specs of the lab, each with the credentials from there."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from immy_nornir.errors import ImmyError, UsageError
from immy_nornir.lab.spec import ComputerSpec, spec_from_variables
from immy_nornir.model.values import SecretRef

if TYPE_CHECKING:
    from immy_nornir.model.inventory import Computer, Inventory
    from immy_nornir.model.protocols import Address

_HTTP_PORT, _HTTPS_PORT = 5985, 5986


@dataclass(frozen=True, slots=True)
class FleetSpecs:
    """What a lab for an inventory needs: its computers, and the ports that most of them use."""

    specs: tuple[ComputerSpec, ...]
    port: int
    https_port: int


def specs_of_inventory(
    inventory: Inventory, address_of: Callable[[Computer], Address], reveal: Callable[[SecretRef], str]
) -> FleetSpecs:
    """Specs of every computer that is reached by WinRM at an address in 127.0.0.0/8.

    Raises UsageError that names every computer whose variables are off, or that there is no such computer.
    """
    found: list[tuple[ComputerSpec, int, bool]] = []
    problems: list[str] = []
    for computer in inventory.computers.values():
        try:
            address = address_of(computer)
            place = _loopback(address.host)
            if address.kind != "winrm" or place is None:
                continue
            password = address.password
            spec = spec_from_variables(
                computer.name,
                place,
                computer.variables,
                username=address.username or "immy",
                password=reveal(password) if isinstance(password, SecretRef) else password or "",
            )
            found.append((spec, address.port, _is_https(address)))
        except ImmyError as error:
            problems.append(str(error))
    if problems:
        raise UsageError("\n".join(dict.fromkeys(problems)), "correct these variables of the inventory")
    if not found:
        raise UsageError(
            "no computer of the inventory is reached by WinRM in 127.0.0.0/8", "give some such an ansible_host"
        )
    return _with_ports(found)


def _with_ports(found: list[tuple[ComputerSpec, int, bool]]) -> FleetSpecs:
    ports = []
    for wanted, default in ((False, _HTTP_PORT), (True, _HTTPS_PORT)):
        counted = Counter(port for _, port, https in found if https is wanted)
        ports.append(counted.most_common(1)[0][0] if counted else default)
    specs = []
    for spec, port, https in found:
        if spec.port is None and port != ports[https]:
            spec = replace(spec, port=port, tls=https)  # noqa: PLW2901 - the spec with its own port takes its place
        specs.append(spec)
    return FleetSpecs(tuple(specs), ports[0], ports[1])


def _loopback(host: str) -> str | None:
    if host.lower() == "localhost":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return host if isinstance(address, ipaddress.IPv4Address) and address.is_loopback else None


def _is_https(address: Address) -> bool:
    scheme = address.settings.get("ansible_winrm_scheme")
    return scheme == "https" if scheme else address.port != _HTTP_PORT
