"""Connection variables of WinRM -> an endpoint, and a pywinrm Protocol tuned for many computers.

The variables are Ansible's. TLS contexts are shared: building one costs more than a whole request.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from winrm.exceptions import WinRMError, WinRMTransportError
from winrm.protocol import Protocol
from winrm.transport import Transport as PywinrmTransport

from immy_nornir.decide.health import winrm_settings
from immy_nornir.errors import AuthenticationError, CertificateError, RefusedError, UsageError
from immy_nornir.model.values import SecretRef
from immy_nornir.model.words import ADVICE, NEITHER, yes_or_no
from immy_nornir.remote.winrm.envelopes import EnvelopeError, check
from immy_nornir.remote.winrm.errors import ClearAnswerError, Stage, mapped
from immy_nornir.remote.winrm.exchange_limits import at_most, bounded, cut
from immy_nornir.remote.winrm.faults import web_page
from immy_nornir.remote.winrm.plain_line import SOCKET_OPTIONS, PlainLine

if TYPE_CHECKING:
    from immy_nornir.model.protocols import Address, Secrets
    from immy_nornir.model.values import Value

HTTP_PORT = 5985
HTTPS_PORT = 5986
CONNECT_SECONDS = 15
EXCHANGE_READS = 4
"""A message and its whole answer may take this many times the read time-out, which counts from byte to byte."""
_BELIEVED = frozenset({200, 500})
"""Statuses of answers whose body counts: of WS-Management itself, and of its faults."""
_PASSED_ON = ("service", "kerberos_delegation", "kerberos_hostname_override", "credssp_disable_tlsv1_2", "send_cbt")
"""Settings that pywinrm takes under the names that Ansible gives them."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Everything needed to open connections to one computer; the password stays out of its repr."""

    host: str
    url: str
    methods: tuple[str, ...]
    username: str
    password: str = field(repr=False)
    validate: bool = True
    ca: str | None = None
    pin: str | None = None
    """SHA-256 of the certificate, hex; takes the place of validation."""
    certificate: str | None = None
    certificate_key: str | None = None
    encryption: str = "auto"
    operation_seconds: int = 20
    read_seconds: int = 30
    proxy: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


class _Settings:
    """Connection variables by their short names, with secrets revealed at the last moment."""

    def __init__(self, address: Address, secrets: Secrets) -> None:
        self._settings = address.settings
        self._secrets = secrets

    def value(self, name: str) -> Value:
        value = self._settings.get(name)
        return self._secrets.reveal(value) if isinstance(value, SecretRef) else value

    def text(self, name: str) -> str | None:
        value = self.value(name)
        return None if value is None or value == "" else str(value)

    def flag(self, name: str) -> bool:
        value = self.value(name)
        read = False if value is None else yes_or_no(value)
        if read is None:
            raise UsageError(f"{name} {NEITHER}", ADVICE)
        return read


def endpoint_of(address: Address, secrets: Secrets) -> Endpoint:
    """The endpoint that an address with Ansible's WinRM variables means.

    Raises UsageError, SecretError, AuthenticationError, RefusedError (Basic without TLS); messages hold no values of
    secrets.
    """
    try:
        return _endpoint(address, _Settings(address, secrets), secrets)
    except UsageError as error:
        raise UsageError(f"{address.computer}: {error.message}", error.advice) from None


def _endpoint(address: Address, settings: _Settings, secrets: Secrets) -> Endpoint:
    port = address.port or HTTPS_PORT
    told = winrm_settings.scheme_of(settings.value("ansible_winrm_scheme"))
    scheme = told or ("http" if port == HTTP_PORT else "https")
    plain_allowed = settings.flag("immy_allow_plain_basic")
    methods = _methods(settings, scheme, plain_allowed=plain_allowed)
    if scheme == "http" and not plain_allowed and any(method in {"basic", "plaintext"} for method in methods):
        raise RefusedError(
            f"{address.computer}: Basic authentication over plain HTTP would show the password to the network",
            "use port 5986 with https, ansible_winrm_transport: ntlm, or set immy_allow_plain_basic: true",
        )
    operation, read = winrm_settings.timeouts_of({name: settings.value(name) for name in winrm_settings.TIMEOUTS})
    path = (settings.text("ansible_winrm_path") or "/wsman").lstrip("/")
    host = f"[{address.host}]" if ":" in address.host and not address.host.startswith("[") else address.host
    certificate = settings.text("ansible_winrm_cert_pem")
    return Endpoint(
        host=address.host,
        url=f"{scheme}://{host}:{port}/{path}",
        methods=methods,
        username=_username(address, settings, methods),
        password=_password(address, secrets, methods),
        validate=winrm_settings.validates(settings.value("ansible_winrm_server_cert_validation")),
        ca=settings.text("ansible_winrm_ca_trust_path"),
        pin=winrm_settings.pin_of(settings.value("immy_certificate_sha256")),
        certificate=certificate,
        certificate_key=settings.text("ansible_winrm_cert_key_pem"),
        encryption=winrm_settings.encryption_of(settings.value("ansible_winrm_message_encryption")),
        operation_seconds=operation,
        read_seconds=read,
        proxy=settings.text("ansible_winrm_proxy"),
        more=_passed_on(settings),
    )


def _methods(settings: _Settings, scheme: str, *, plain_allowed: bool) -> tuple[str, ...]:
    methods = winrm_settings.transports_of(settings.value("ansible_winrm_transport"))
    if not methods:
        # Ansible would fall back to Basic over plain HTTP; NTLM seals its messages there.
        return ("ssl",) if scheme == "https" else ("basic",) if plain_allowed else ("ntlm",)
    return tuple("ssl" if method in {"basic", "plaintext"} and scheme == "https" else method for method in methods)


def _username(address: Address, settings: _Settings, methods: tuple[str, ...]) -> str:
    realm = settings.text("ansible_winrm_realm")
    if realm and address.username and "@" not in address.username and "\\" not in address.username:
        return f"{address.username}@{realm}"
    if not address.username and not set(methods) <= {"certificate", "kerberos"}:
        raise AuthenticationError(f"{address.computer}: no user is given", "set ansible_user")
    return address.username


def _password(address: Address, secrets: Secrets, methods: tuple[str, ...]) -> str:
    value = address.password
    if isinstance(value, SecretRef):
        value = secrets.reveal(value)
    if value is None and not set(methods) <= {"certificate", "kerberos"}:
        raise AuthenticationError(f"{address.computer}: no password is given", "set ansible_password")
    return value or ""


def _passed_on(settings: _Settings) -> dict[str, Any]:
    found = {name: settings.value(f"ansible_winrm_{name}") for name in _PASSED_ON}
    return {name: value for name, value in found.items() if value is not None}


# --- pywinrm, tuned ------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def _context(validate: bool, ca: str | None, certificate: str | None, key: str | None) -> ssl.SSLContext:  # noqa: FBT001
    """One context for each kind of trust; loading the authorities takes longer than a request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not validate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca:
        place = Path(ca).expanduser()
        context.load_verify_locations(capath=str(place)) if place.is_dir() else context.load_verify_locations(
            str(place)
        )
    else:
        context.load_default_certs()
        context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


def trust_of(endpoint: Endpoint) -> ssl.SSLContext:
    """By which certificates of computers are judged; raises OSError and ValueError for files that cannot be read."""
    return _context(endpoint.validate, endpoint.ca, endpoint.certificate, endpoint.certificate_key)


class _Adapter(HTTPAdapter):
    """Connections with the shared context, the pin and TCP keepalive."""

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext | None) -> None:
        self._endpoint = endpoint
        self._context = context
        self._pool: Any = None
        self._connection: Any = None
        super().__init__(pool_connections=1, pool_maxsize=1)

    def cut(self) -> None:
        """End whatever is under way; from any thread."""
        cut(self._connection)

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        """As requests does it, with a bound on what may come."""
        resp.stream = bounded(resp.stream)
        return super().build_response(req, resp)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """The one computer's pool, whose connection can be cut; requests would look for it before each message."""
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **kwargs)
            make = self._pool.ConnectionCls

            def connection(*given: Any, **named: Any) -> Any:
                self._connection = make(*given, **named)
                return self._connection

            self._pool.ConnectionCls = connection
        return self._pool

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        kwargs["socket_options"] = SOCKET_OPTIONS
        if self._context is not None:
            kwargs["ssl_context"] = self._context
            if self._endpoint.pin:
                kwargs["assert_fingerprint"] = self._endpoint.pin
        super().init_poolmanager(*args, **kwargs)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave trust to the shared context; requests would load the authorities again for each connection."""
        del url, verify, cert
        conn.cert_reqs = "CERT_REQUIRED" if self._endpoint.validate and not self._endpoint.pin else "CERT_NONE"


class _Had:
    """Stands for a session that has its answer already."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self.adapters = {"https://": self}

    def cut(self) -> None:
        """There is nothing under way."""

    def send(self, *_: Any, **__: Any) -> requests.Response:
        """The answer."""
        return self._response


def _is_sealed(content_type: str, protocol: str) -> bool:
    """Whether pywinrm will unseal a body of this type, which it otherwise takes as it is."""
    return content_type.lower().startswith("multipart/") and f'protocol="{protocol}"' in content_type


def _bounded(error: WinRMTransportError) -> WinRMTransportError:
    """The error with its text only where pywinrm, which makes a tree of it, may."""
    try:
        check(error.response_text)
    except EnvelopeError as why:
        if why.beyond and not web_page(error.response_text):
            return WinRMTransportError("http", error.code, "")
    return error


class _Tuned(PywinrmTransport):
    """pywinrm's transport over our adapter; without a look at the environment for each message."""

    def __init__(self, ours: Endpoint, context: ssl.SSLContext | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._ours = ours
        self._context = context
        self.line: PlainLine | None = None
        self._seconds = (float(min(CONNECT_SECONDS, ours.read_seconds)), float(ours.read_seconds))
        # requests takes a pair: to connect, to read.
        pair: Any = self._seconds
        self.read_timeout_sec = pair

    def build_session(self) -> requests.Session:
        """Tune each new session once; a sealed one is tuned before its first message (`setup_encryption`)."""
        known = self.session
        session: requests.Session = super().build_session()
        if session is not known:
            self._tune(session)
        return session

    def _is_plain(self) -> bool:
        """Whether messages need nothing but Basic authentication: no proxy, no certificate of ours, nothing sealed."""
        basic = self.auth_method in {"basic", "plaintext"} or (
            self.auth_method == "ssl" and not self.cert_pem and not self.cert_key_pem
        )
        return basic and self.proxy is None and self.message_encryption != "always"

    def _open_line(self) -> PlainLine:
        message = requests.Request(headers=dict(self.default_headers))
        authenticate: Any = HTTPBasicAuth(self.username or "", self.password or "")
        authenticate(message)
        return PlainLine(self.endpoint, message.headers, self._seconds, self._context, self._ours.pin)

    def send_message(self, message: str | bytes) -> bytes:
        """As pywinrm does it; where nothing is sealed without a session, which takes ten times as long."""
        if self.session is not None or not self._is_plain():
            sealed: bytes = super().send_message(message)
            return sealed
        line = self.line = self.line or self._open_line()
        with at_most(EXCHANGE_READS * self._ours.read_seconds, line.cut):
            answer = line.post(message.encode() if isinstance(message, str) else message)
            return answer.content if answer.good else self._strange(answer.response())

    def _strange(self, answer: Any) -> bytes:
        """What pywinrm makes of an answer that is not simply good."""
        request = requests.Request("POST", self.endpoint).prepare()
        response = HTTPAdapter().build_response(request, answer)
        if len(response.cookies):  # who wants its cookies back gets a session
            self.build_session().cookies.update(response.cookies)
        if response.is_redirect:
            raise requests.TooManyRedirects("redirected", response=response)
        return self._send_message_request(_Had(response), request).content

    def _send_message_request(self, session: Any, prepared_request: requests.PreparedRequest) -> requests.Response:
        """One message and its whole answer, the negotiation before it included, however it drips."""
        with at_most(EXCHANGE_READS * self._ours.read_seconds, session.adapters["https://"].cut):
            try:
                response: requests.Response = super()._send_message_request(session, prepared_request)
            except UnicodeDecodeError as error:  # pywinrm reads the page of a proxy as UTF-8
                cause = error.__context__
                if not isinstance(cause, requests.HTTPError) or cause.response is None:
                    raise
                page = cause.response.content.decode("utf-8", "replace")
                raise WinRMTransportError("http", cause.response.status_code, page if web_page(page) else "") from None
            except WinRMTransportError as error:
                raise _bounded(error) from None
        return response

    def _get_message_response_text(self, response: requests.Response) -> bytes:
        """The answer's body, unsealed; to a sealed message nothing else is believed than what is sealed too.

        A status alone is: it can only end a conversation, as whoever is on the way can anyhow.
        """
        kind = response.headers.get("Content-Type", "")
        if self.encryption is None or _is_sealed(kind, self.encryption.protocol_string.decode()):
            text: bytes = super()._get_message_response_text(response)
            return text
        page = web_page(response.content)
        if response.status_code in _BELIEVED:
            raise ClearAnswerError(f": {page}" if page else "")
        return response.content if page else b""

    def setup_encryption(self, session: requests.Session) -> None:
        self._tune(session)
        super().setup_encryption(session)

    def _tune(self, session: requests.Session) -> None:
        session.trust_env = False
        session.max_redirects = 0
        session.verify = self._ours.validate and not self._ours.pin
        if not isinstance(session.adapters.get("https://"), _Adapter):
            adapter = _Adapter(self._ours, self._context)
            session.mount("https://", adapter)
            session.mount("http://", adapter)


def open_protocol(endpoint: Endpoint, method: Any) -> Protocol:
    """A pywinrm Protocol for one way of authentication; nothing is sent yet. Raises TransportError subclasses."""
    secure = endpoint.url.startswith("https")
    validates = endpoint.validate and not endpoint.pin
    common: dict[str, Any] = {
        "endpoint": endpoint.url,
        "username": endpoint.username or None,
        "password": endpoint.password,
        "ca_trust_path": None,
        "cert_pem": endpoint.certificate,
        "cert_key_pem": endpoint.certificate_key,
        "server_cert_validation": "validate" if validates else "ignore",
        "message_encryption": endpoint.encryption,
        "proxy": endpoint.proxy,
        **endpoint.more,
    }
    try:
        context = _context(validates, endpoint.ca, endpoint.certificate, endpoint.certificate_key) if secure else None
    except (OSError, ssl.SSLError) as error:
        why = getattr(error, "reason", None) or error.strerror
        raise CertificateError(
            f"{endpoint.host}: the certificate files cannot be read ({why})",
            "check ansible_winrm_ca_trust_path, ansible_winrm_cert_pem and ansible_winrm_cert_key_pem",
        ) from None
    try:
        protocol = Protocol(
            transport=method,
            read_timeout_sec=endpoint.read_seconds,
            operation_timeout_sec=endpoint.operation_seconds,
            **common,
        )
        protocol.transport = _Tuned(endpoint, context, auth_method=method, **common)
    except WinRMError as error:
        raise mapped(error, Stage.OPEN, endpoint) from None
    return protocol


def close_sockets(protocol: Protocol) -> None:
    """Close the sockets that a Protocol keeps: those of a closed session stay open until its garbage is collected."""
    transport = protocol.transport
    if isinstance(transport, _Tuned) and transport.line is not None:
        transport.line.close()
    session = transport.session
    for adapter in () if session is None else session.adapters.values():
        if isinstance(adapter, HTTPAdapter):
            for manager in (adapter.poolmanager, *adapter.proxy_manager.values()):
                pools = manager.pools
                for key in pools.keys():  # noqa: SIM118 - the container refuses to be iterated over
                    pools[key].close()
