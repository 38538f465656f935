"""A computer's connection variables -> Address: which way in, where, as whom.

The variables are Ansible's for WinRM, PSRP (which is reached by WinRM) and SSH, with its precedence: the
variable of the connection's own kind wins over the general one. Templates are expanded here. Passwords and settings
stay references; a host, a port or a user that is a secret is revealed where somebody can, and else shown as SECRET.
Not here: opening connections (`remote`), what a setting means to a transport.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from immy_nornir.decide.resolve.patterns import IPV4, IPV6
from immy_nornir.errors import SecretError, UsageError
from immy_nornir.model.inventory import Computer
from immy_nornir.model.places import Place
from immy_nornir.model.protocols import Address
from immy_nornir.model.values import SecretRef, UnsafeText, Value
from immy_nornir.model.words import ADVICE, NEITHER, yes_or_no

WINRM, SSH, LOCAL = "winrm", "ssh", "local"
SECRET = "[secret]"  # noqa: S105 - stands for one
Reveal = Callable[[SecretRef], str]

_KINDS: Final = {
    "winrm": WINRM,
    "psrp": WINRM,
    "ssh": SSH,
    "paramiko": SSH,
    "paramiko_ssh": SSH,
    "local": LOCAL,
    "smart": "",
}
# Strongest first; what is old or of another kind stands last.
_NAMES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    WINRM: {
        "host": ("ansible_winrm_host", "ansible_psrp_host", "ansible_host", "ansible_ssh_host"),
        "port": ("ansible_winrm_port", "ansible_psrp_port", "ansible_port", "ansible_ssh_port"),
        "user": ("ansible_winrm_user", "ansible_psrp_user", "ansible_user", "ansible_ssh_user"),
        "password": (
            *("ansible_winrm_password", "ansible_winrm_pass", "ansible_psrp_password"),
            *("ansible_password", "ansible_ssh_password", "ansible_ssh_pass"),
        ),
    },
    SSH: {
        "host": ("ansible_ssh_host", "ansible_host"),
        "port": ("ansible_ssh_port", "ansible_port"),
        "user": ("ansible_ssh_user", "ansible_user"),
        "password": ("ansible_ssh_password", "ansible_ssh_pass", "ansible_password"),
    },
    LOCAL: {"host": (), "port": (), "user": (), "password": ()},
}
_PREFIXES: Final[Mapping[str, tuple[str, ...]]] = {
    WINRM: ("ansible_winrm_",),
    SSH: ("ansible_ssh_", "ansible_paramiko_", "ansible_sftp_", "ansible_scp_", "ansible_control_"),
    LOCAL: (),
}
_COMMON_PREFIXES: Final = ("ansible_become", "ansible_shell_")
_COMMON: Final = frozenset(
    (
        *("ansible_timeout", "ansible_connection_timeout", "ansible_private_key_file", "ansible_host_key_checking"),
        *("ansible_remote_tmp", "ansible_pipelining"),
        *("immy_certificate_sha256", "immy_allow_plain_basic", "immy_allow_local_reboot"),
        "immy_spool",
    )
)
_FLAGS: Final = frozenset(
    (
        *("ansible_become", "ansible_host_key_checking", "immy_allow_plain_basic", "immy_allow_local_reboot"),
        *("ansible_winrm_kerberos_delegation", "ansible_winrm_send_cbt", "ansible_winrm_credssp_disable_tlsv1_2"),
    )
)
# PSRP's names for what WinRM has too.
_PSRP: Final = {
    "ansible_psrp_protocol": "ansible_winrm_scheme",
    "ansible_psrp_path": "ansible_winrm_path",
    "ansible_psrp_auth": "ansible_winrm_transport",
    "ansible_psrp_cert_validation": "ansible_winrm_server_cert_validation",
    "ansible_psrp_ca_cert": "ansible_winrm_ca_trust_path",
    "ansible_psrp_message_encryption": "ansible_winrm_message_encryption",
    "ansible_psrp_proxy": "ansible_winrm_proxy",
    "ansible_psrp_certificate_pem": "ansible_winrm_cert_pem",
    "ansible_psrp_certificate_key_pem": "ansible_winrm_cert_key_pem",
    "ansible_psrp_operation_timeout": "ansible_winrm_operation_timeout_sec",
    "ansible_psrp_read_timeout": "ansible_winrm_read_timeout_sec",
}
PSRP_NAMES: Final = {ours: theirs for theirs, ours in _PSRP.items()}
"""By WinRM's name the one of PSRP that may stand for it."""
_WITHOUT_PASSWORD: Final = ("kerberos", "certificate")
_HTTP_PORT, _HTTPS_PORT, _SSH_PORT = 5985, 5986, 22


READ: Final = frozenset(
    (
        *_COMMON,
        *(name for names in _NAMES.values() for one in names.values() for name in one),
        *("ansible_connection", "ansible_shell_type"),
    )
)
"""Names that are read whatever the transport."""


class AddressError(UsageError):
    """A connection variable makes no sense; `place` is where it was written, when that is known."""

    def __init__(self, message: str, advice: str, place: Place | None) -> None:
        super().__init__(f"{place}: {message}" if place is not None else message, advice)
        self.place = place
        self.plain_message = message


def address_of(computer: Computer, reveal: Reveal | None = None) -> Address:
    """How to reach a computer; raises AddressError, a UsageError with file and line, for what makes no sense.

    `reveal` is given by who connects: it may raise SecretError. Without it nothing is revealed, and such an address is
    for showing only.

    Without `ansible_connection` (or with `smart`) WinRM is chosen when port 5985 or 5986, `ansible_shell_type:
    powershell` or any variable of WinRM or PSRP says Windows; else SSH.
    """
    reader = _Reader(computer, reveal)
    kind = _kind(reader)
    settings = _settings(reader, kind)
    if kind == LOCAL:
        return Address(computer.name, LOCAL, "localhost", 0, settings=settings)
    names = _NAMES[kind]
    host = reader.text(names["host"])
    password = _password(reader, names["password"])
    if kind == WINRM and password is None and settings.get("ansible_winrm_transport") not in _WITHOUT_PASSWORD:
        reader.refuse_missing()
    return Address(
        computer=computer.name,
        kind=kind,
        host=computer.name if host is None else host,
        port=_port(reader, names["port"], kind, settings),
        username=reader.text(names["user"]) or "",
        password=password,
        settings=settings,
    )


def template_variables(computer: Computer) -> dict[str, Value]:
    """What a template of this computer can name: its variables and Ansible's names for the computer itself."""
    name = computer.name
    is_address = IPV4.match(name) or IPV6.match(name)
    own: dict[str, Value] = {
        "inventory_hostname": name,
        "inventory_hostname_short": name if is_address else name.split(".")[0],
        "group_names": sorted(group for group in computer.groups if group != "all"),
    }
    return computer.names({"immy_tenant": computer.tenant}, own)


class _Reader:
    """Reads one computer's variables, expanded."""

    def __init__(self, computer: Computer, reveal: Reveal | None) -> None:
        self._computer = computer
        self._reveal = reveal
        self._scope: dict[str, Value] | None = None
        self.variables = computer.variables

    def value(self, name: str) -> Value:
        """An expanded variable; None when it is missing."""
        value = self.variables.get(name)
        return self._expand(name, value) if _may_hold_template(value) else value

    def _expand(self, name: str, value: Value) -> Value:
        from immy_nornir.text.templates import TemplateError, expand  # Jinja2 loads only when needed

        if self._scope is None:
            self._scope = template_variables(self._computer)
        try:
            return expand(value, self._scope)
        except TemplateError as error:
            if error.of_secret:
                return self._with_secrets(name, value)
            if self._reveal is None and self._computer.unread and (error.name or error.unread):
                return SECRET  # who only shows it leaves it open what stands in the file
            raise self.error(
                name, f"cannot be expanded: {error.what}", error.advice or "see the variable's text"
            ) from None

    def _with_secrets(self, name: str, value: Value) -> Value:
        """What a text with secrets in the middle of it becomes, which only who connects may know."""
        from immy_nornir.text.templates import TemplateError, expand

        if self._reveal is None:
            return SECRET
        assert self._scope is not None  # noqa: S101 - it was expanded before
        try:
            return expand(value, _Revealed(self._scope, self._reveal))
        except TemplateError as error:
            raise self.error(name, f"cannot be expanded: {error.what}", error.advice) from None

    def refuse_missing(self) -> None:
        """Raise SecretError where a password is wanted that may stand in a file that could not be read."""
        if self._reveal is not None and self._computer.unread:
            raise SecretError(f"the computer '{self._computer.name}' has no password: {self._computer.lacking}")

    def secret(self, value: SecretRef) -> str:
        """Its value for who connects; SECRET for all others."""
        return SECRET if self._reveal is None else self._reveal(value).strip()

    def first(self, names: tuple[str, ...]) -> tuple[str, Value]:
        """The strongest of several names that has a value."""
        for name in names:
            value = self.value(name)
            if value is not None:
                return name, value
        return "", None

    def text(self, names: tuple[str, ...]) -> str | None:
        """The strongest of several names as text; None when all are missing."""
        name, value = self.first(names)
        match value:
            case None:
                return None
            case str() if value.strip():
                return value.strip()
            case str():
                raise self.error(name, "is empty", "write a value or remove the line")
            case int() if not isinstance(value, bool):
                return str(value)
            case SecretRef():
                return self.secret(value)
            case _:
                raise self.error(name, "is not text", "put quotes around the value")

    def error(self, name: str, what: str, advice: str) -> AddressError:
        """A problem with a variable, at its place."""
        message = f"{name} of the computer '{self._computer.name}' {what}"
        return AddressError(message, advice, self._computer.origins.get(name))


class _Revealed(Mapping[str, Value]):
    """The same variables with the values of secrets, each revealed when it is asked for."""

    def __init__(self, variables: Mapping[str, Value], reveal: Reveal) -> None:
        self._variables = variables
        self._reveal = reveal

    def __getitem__(self, name: str) -> Value:
        return self._open(self._variables[name])

    def _open(self, value: Value) -> Value:
        match value:
            case SecretRef():
                return UnsafeText(self._reveal(value))
            case Mapping():
                return {name: self._open(child) for name, child in value.items()}
            case list() | tuple():
                return [self._open(child) for child in value]
            case _:
                return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


def _may_hold_template(value: Value) -> bool:
    match value:
        case UnsafeText() | SecretRef() | None | bool() | int() | float():
            return False
        case str():
            return "{{" in value or "{%" in value or "{#" in value
        case Mapping():
            return any(_may_hold_template(child) for child in value.values())
        case _:
            return any(_may_hold_template(child) for child in value)


def _kind(reader: _Reader) -> str:
    name = reader.text(("ansible_connection",)) or "smart"
    kind = _KINDS.get(name.rpartition(".")[2])
    if kind is None:
        raise reader.error(
            "ansible_connection", f"is '{name}', which is not supported", "write winrm, psrp, ssh or local"
        )
    return kind or (WINRM if _looks_like_windows(reader) else SSH)


def _looks_like_windows(reader: _Reader) -> bool:
    if any(name.startswith(("ansible_winrm_", "ansible_psrp_")) for name in reader.variables):
        return True
    if reader.value("ansible_shell_type") == "powershell":
        return True
    return str(reader.value("ansible_port")) in (str(_HTTP_PORT), str(_HTTPS_PORT))


def _settings(reader: _Reader, kind: str) -> dict[str, Value]:
    taken = {name for names in _NAMES[kind].values() for name in names}
    prefixes = (*_PREFIXES[kind], *_COMMON_PREFIXES)
    result: dict[str, Value] = {}
    if kind == WINRM:
        for name in reader.variables:
            if name in _PSRP:
                value = reader.value(name)
                # PSRP's word for "NTLM or Kerberos"; only the first needs nothing else installed.
                result[_PSRP[name]] = "ntlm" if name == "ansible_psrp_auth" and value == "negotiate" else value
    for name in reader.variables:
        if name not in taken and (name in _COMMON or name.startswith(prefixes)):
            value = reader.value(name)
            result[name] = _flag(reader, name, value) if name in _FLAGS and value is not None else value
    return result


def _flag(reader: _Reader, name: str, value: Value) -> Value:
    read = value if isinstance(value, SecretRef) else yes_or_no(value)
    if read is None:
        raise reader.error(name, NEITHER, ADVICE)
    return read


def _port(reader: _Reader, names: tuple[str, ...], kind: str, settings: Mapping[str, Value]) -> int:
    name, value = reader.first(names)
    if value is None:
        if kind == SSH:
            return _SSH_PORT
        return _HTTP_PORT if str(settings.get("ansible_winrm_scheme", "")).lower() == "http" else _HTTPS_PORT
    if isinstance(value, SecretRef):
        value = reader.secret(value)
    if value == SECRET:
        return 0
    digits = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not (digits.isascii() and digits.isdigit() and 1 <= int(digits) <= 65535):
        raise reader.error(name, "is no port", "write a whole number from 1 to 65535")
    return int(digits)


def _password(reader: _Reader, names: tuple[str, ...]) -> str | SecretRef | None:
    name, value = reader.first(names)
    match value:
        case None:
            return None
        case SecretRef():
            return value
        case str():
            return value or None
        case Mapping():
            raise reader.error(
                name, "is a map, but no reference to a secret", "write {secret: env:NAME} or {secret: file:PATH}"
            )
        case _:
            raise reader.error(
                name,
                "is not text (it may have been read as a number)",
                "put quotes around it, or write {secret: env:NAME}",
            )
