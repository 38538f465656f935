"""The kinds of connection, by name; each imports its foreign library only when it is used."""

from __future__ import annotations

from immy_nornir.errors import UsageError
from immy_nornir.model.protocols import Address, Clock, Connection, Secrets

KINDS = ("winrm", "ssh", "local")


def connect(address: Address, secrets: Secrets, clock: Clock) -> Connection:
    """Open a connection of the address's kind.

    Raises: TransportError, SecretError, UsageError for a kind that there is not.
    """
    match address.kind:
        case "winrm":
            from immy_nornir.remote.winrm import transport

            return transport.connect(address, secrets, clock)
        case "ssh":
            from immy_nornir.remote import ssh

            return ssh.connect(address, secrets, clock)
        case "local":
            from immy_nornir.remote import local

            return local.connect(address, secrets, clock)
        case other:
            raise UsageError(f"there is no connection kind '{other}'", f"use {', '.join(KINDS)}")
