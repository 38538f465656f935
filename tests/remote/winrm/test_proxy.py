"""What a proxy on the way says is said, and that it was the proxy."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from immy_nornir.errors import DroppedError, GarbledError, RefusedError, TransportError, UnreachableError
from immy_nornir.model.protocols import Address
from immy_nornir.remote.winrm.transport import connect
from tests.remote.winrm.test_transport import RealClock, Vault
from tests.waiting import all_end

BODY = b"<html><head><title>Squid &lt;1&gt;</title></head></html>"


@contextmanager
def proxy(status: int) -> Iterator[str]:
    """The address of a proxy that has this one answer."""
    answer = b"HTTP/1.1 %d No\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (status, len(BODY), BODY)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                for _ in range(3):
                    peer, _ = listening.accept()
                    with peer:
                        peer.recv(65536)
                        peer.sendall(answer)
                        peer.recv(65536)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
    all_end([thread])


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("status", "error", "plain", "tunnel"),
    [
        (407, RefusedError, "a proxy stands between that wants a password", "it wants a password"),
        (503, DroppedError, "not ready (HTTP 503 with a web page ('Squid <1>')", "does not let it through (HTTP 503)"),
        (418, (GarbledError, RefusedError), "a web page ('Squid <1>')", "does not let it through (HTTP 418)"),
    ],
)
def test_a_proxy_that_refuses_says_so(
    scheme: str, status: int, error: type[TransportError], plain: str, tunnel: str
) -> None:
    with proxy(status) as url:
        settings: dict[str, Any] = {
            "ansible_winrm_scheme": scheme,
            "ansible_winrm_proxy": url,
            "ansible_winrm_transport": "basic",
            "immy_allow_plain_basic": True,
            "ansible_winrm_server_cert_validation": "ignore",
        }
        connection = connect(Address("pc", "winrm", "192.0.2.1", 5985, "u", "p", settings), Vault(), RealClock())
        with pytest.raises(error) as caught:
            connection.identify()
        connection.close()
    assert (plain if scheme == "http" else tunnel) in str(caught.value)
    assert "ansible_winrm_proxy" in str(caught.value) or status == 503


def test_a_proxy_that_is_not_there_is_named() -> None:
    settings = {
        "ansible_winrm_proxy": "http://127.0.0.1:1",
        "ansible_winrm_transport": "basic",
        "ansible_winrm_server_cert_validation": "ignore",
    }
    connection = connect(Address("pc", "winrm", "192.0.2.1", 5986, "u", "p", settings), Vault(), RealClock())
    with pytest.raises(UnreachableError, match="the proxy cannot be reached"):
        connection.identify()
    connection.close()
