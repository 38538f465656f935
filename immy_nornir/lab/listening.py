"""Addresses and a port -> bound sockets of the lab."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
from collections.abc import Sequence

from immy_nornir.errors import UsageError

_TRIES = 20
"""A free port of one address may be taken at another."""


def sockets_at(addresses: Sequence[str], port: int) -> list[socket.socket]:
    """A bound socket for each address, all at one port; with 0 at one that is free at all of them.

    Raises: UsageError that says which of them cannot be had, and what to do.
    """
    for last in (*[False] * (0 if port else _TRIES), True):
        bound: list[socket.socket] = []
        try:
            for address in addresses:
                wanted = bound[0].getsockname()[1] if bound else port
                bound.append(_bound(address, wanted))
        except OSError as error:
            for one in bound:
                one.close()
            if last or error.errno != errno.EADDRINUSE:
                raise UsageError(*_why(error, addresses[min(len(bound), len(addresses) - 1)], port)) from None
        else:
            return bound
    raise AssertionError("the last try returns or raises")


def _bound(address: str, port: int) -> socket.socket:
    one = socket.socket()
    with contextlib.ExitStack() as undo:
        undo.callback(one.close)
        if sys.platform != "win32":  # there it lets two programs have one port
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((address, port))
        undo.pop_all()
    return one


def _why(error: OSError, address: str, port: int) -> tuple[str, str]:
    told = error.strerror or str(error)
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{address} is no address of this machine", f"on macOS: sudo ifconfig lo0 alias {address} up"
    if error.errno == errno.EMFILE:
        advice = "raise the limit (ulimit -n), or use --listen 0.0.0.0: one socket for all"
        return f"a socket for each computer is more than this process may have: {told}", advice
    return f"port {port} of {address} cannot be had: {told}", "choose another with --port or --https-port"
