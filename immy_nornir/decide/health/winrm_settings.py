"""Values of Ansible's settings of WinRM -> what they mean, or what is wrong with them; pure.

One set of rules for `lint`, which reads files, and for the transport, which opens connections. Secrets were revealed
before. Not here: user, password, host and port (`fleet.inventory.addresses`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from immy_nornir.errors import UsageError
from immy_nornir.model.values import SecretRef, Value
from immy_nornir.text.plain import plain

TRANSPORTS = ("basic", "plaintext", "ssl", "ntlm", "kerberos", "credssp", "certificate")
SCHEMES = ("http", "https")
VALIDATIONS = ("validate", "ignore")
ENCRYPTIONS = ("auto", "always", "never")
_OPERATION, _READ = "ansible_winrm_operation_timeout_sec", "ansible_winrm_read_timeout_sec"
_BOTH = "ansible_winrm_connection_timeout"
TIMEOUTS = (_READ, _OPERATION, _BOTH)
"""The settings that `timeouts_of` reads."""
_OPERATION_SECONDS = 20
_READ_MORE = 10
"""A read waits this much longer than the operation that it reads from."""


def transports_of(value: Value) -> tuple[str, ...]:
    """Ways of authentication in the order in which they are tried; none where nothing is said."""
    if value is None or value == "":
        return ()
    names = value if isinstance(value, Sequence) and not isinstance(value, str) else str(value).split(",")
    return tuple(_one_of("ansible_winrm_transport", name, TRANSPORTS) for name in names)


def scheme_of(value: Value) -> str:
    """`http`, `https`, or nothing where nothing is said."""
    return "" if value is None or value == "" else _one_of("ansible_winrm_scheme", value, SCHEMES)


def validates(value: Value) -> bool:
    """Whether the computer's certificate is checked."""
    if value is None or value == "":
        return True
    return _one_of("ansible_winrm_server_cert_validation", value, VALIDATIONS) == "validate"


def encryption_of(value: Value) -> str:
    """When messages are sealed."""
    return "auto" if value is None or value == "" else _one_of("ansible_winrm_message_encryption", value, ENCRYPTIONS)


def pin_of(value: Value) -> str | None:
    """A certificate's SHA-256 in lower case without colons."""
    if value is None or value == "":
        return None
    pin = re.sub(r"[\s:]", "", str(value)).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", pin):
        raise UsageError("immy_certificate_sha256 is no SHA-256", "give 64 hexadecimal digits, in quotes")
    return pin


def timeouts_of(settings: Mapping[str, Value]) -> tuple[int, int]:
    """Seconds that an operation may take on the computer, and that a read waits for it."""
    both = _seconds(_BOTH, settings.get(_BOTH))
    operation = _seconds(_OPERATION, settings.get(_OPERATION)) or both or _OPERATION_SECONDS
    read = _seconds(_READ, settings.get(_READ)) or operation + _READ_MORE
    if read <= operation:
        raise UsageError(
            f"the read time-out ({read}) must be larger than the operation time-out ({operation})",
            f"set {_READ} or leave it away",
        )
    return operation, read


def problems(settings: Mapping[str, Value]) -> Iterator[tuple[str, UsageError]]:
    """Settings by name whose values cannot be; secrets are not looked at."""
    judges: Mapping[str, Callable[[Value], object]] = {
        "ansible_winrm_transport": transports_of,
        "ansible_winrm_scheme": scheme_of,
        "ansible_winrm_server_cert_validation": validates,
        "ansible_winrm_message_encryption": encryption_of,
        "immy_certificate_sha256": pin_of,
        _OPERATION: lambda value: _seconds(_OPERATION, value),
        _READ: lambda value: _seconds(_READ, value),
        _BOTH: lambda value: _seconds(_BOTH, value),
    }
    known = {name: value for name, value in settings.items() if not isinstance(value, SecretRef)}
    wrong = False
    for name, judge in judges.items():
        if name in known:
            try:
                judge(known[name])
            except UsageError as error:
                wrong = True
                yield name, error
    if not wrong:
        try:
            timeouts_of(known)
        except UsageError as error:
            yield next(name for name in TIMEOUTS if name in known), error


def _one_of(setting: str, value: object, words: Sequence[str]) -> str:
    word = str(value).strip().lower()
    if word in words:
        return word
    near = difflib.get_close_matches(word, words, 1)
    listed = f"{', '.join(words[:-1])} or {words[-1]}"
    raise UsageError(f"{setting} is '{plain(value)}'", f"did you mean '{near[0]}'?" if near else f"give {listed}")


def _seconds(setting: str, value: Value) -> int | None:
    if value is None or value == "":
        return None
    try:
        number = 0 if isinstance(value, bool) else int(float(str(value)))
    except (ValueError, OverflowError):
        number = 0
    if number < 1:
        raise UsageError(f"{setting} is '{plain(value)}'", "give a number of seconds, at least 1")
    return number
