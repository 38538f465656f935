"""The canary table: every known secret is masked in every form in which programs write it, alone and in stored rows."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Callable
from html.entities import codepoint2name
from random import Random
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

import pytest

from immy_nornir.text.redaction.redact import MASK, Redactor

SECRETS = {
    "plain": "S3cr3tX",
    "six": "qZ7!kd",
    "digits": "4711081542",
    "quotes and backslashes": "p\"a'ss<w>&\\d",
    "quotes side by side": "a''b\"\"c`d$e",
    "ends with a backslash": "C:\\temp\\pass\\",
    "umlauts": "pässwörd €ß",
    "emoji": "🔑key🙂é",
    "other scripts": "пароль密码です",
    "spaces": "with  space/+=%",
    "looks escaped": "100%41\\n&amp;`t\\u0041_x0041_",
    "backtick before escapes": "back`é`n`\\x",
    "random": "".join(chr(33 + number * number * 7919 % 94) for number in range(200)),
    "key": "-----BEGIN KEY-----\n{}\nb3BlbnNzaC1rZXk=\n-----END KEY-----\n".format("Ab3/+xYz" * 8),
    "two lines": "tab\tand\nline two",
}


def _hex(data: bytes, between: str = "", prefix: str = "", *, upper: bool = False) -> str:
    digits = [f"{one:02X}" if upper else f"{one:02x}" for one in data]
    return between.join(prefix + one for one in digits)


def _lower_percent(text: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda hit: hit.group().lower(), text)


def _component(text: str) -> str:
    """What JavaScript's encodeURIComponent makes of it."""
    return quote(text, safe="!'()*-._~")


def _units(text: str) -> list[int]:
    data = text.encode("utf-16-be")
    return [int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2)]


def _inner(text: str) -> str:
    return json.dumps(text)[1:-1]


def _in_double_quotes(text: str) -> str:
    """PowerShell's literal, with its escapes."""
    escapes = {"`": "``", '"': '`"', "$": "`$", "\n": "`n", "\r": "`r", "\t": "`t"}
    return "".join(escapes.get(one, one) for one in text)


def _convert_to_json(text: str) -> str:
    """As Windows PowerShell writes it."""
    return re.sub("[<>&']", lambda hit: f"\\u{ord(hit.group()):04x}", json.dumps(text, ensure_ascii=False)[1:-1])


def _octal(text: str) -> str:
    data = text.replace("\\", "\\\\").encode()
    return "".join(f"\\{byte:03o}" if byte > 126 or byte < 32 else chr(byte) for byte in data)


def _named(text: str) -> str:
    return "".join(f"&{codepoint2name[ord(one)]};" if ord(one) in codepoint2name else one for one in text)


FORMS: dict[str, Callable[[str], str]] = {
    "itself": str,
    "percent": lambda one: quote(one, safe=""),
    "percent, path": quote,
    "percent, small": lambda one: _lower_percent(quote(one, safe="")),
    "percent, of every byte": lambda one: "".join(f"%{byte:02X}" for byte in one.encode()),
    "percent, twice": lambda one: quote(quote(one, safe=""), safe=""),
    "percent, form": quote_plus,
    "percent, form, small": lambda one: _lower_percent(quote_plus(one)),
    "percent, component": _component,
    "percent, component, small": lambda one: _lower_percent(_component(one)),
    "doubled '": lambda one: one.replace("'", "''"),
    'doubled "': lambda one: one.replace('"', '""'),
    "doubled ' and \"": lambda one: one.replace("'", "''").replace('"', '""'),
    "backslash before specials": lambda one: re.sub(r"([^\w\s])", r"\\\1", one, flags=re.ASCII),
    "backslash, regex": re.escape,
    "backslash before quotes": lambda one: re.sub(r"([\\'\"])", r"\\\1", one),
    "shell, '\\''": lambda one: one.replace("'", "'\\''"),
    "shell, '\"'\"'": lambda one: shlex.quote(f"{one} ")[1:-2],
    "shell, octal": _octal,
    "JSON": _inner,
    "JSON as it is": lambda one: json.dumps(one, ensure_ascii=False)[1:-1],
    "JSON in JSON": lambda one: _inner(_inner(one)),
    "JSON in JSON in JSON": lambda one: _inner(_inner(_inner(one))),
    "JSON, \\/": lambda one: _inner(one).replace("/", "\\/"),
    "JSON, \\u of all": lambda one: "".join(f"\\u{unit:04x}" for unit in _units(one)),
    "JSON, \\u of all, capital": lambda one: "".join(f"\\u{unit:04X}" for unit in _units(one)),
    "JSON of Windows PowerShell": _convert_to_json,
    "JSON of HTML": lambda one: _inner(html.escape(one)),
    "Python": lambda one: repr(one)[1:-1],
    "Python, ASCII": lambda one: ascii(one)[1:-1],
    "Python, bytes": lambda one: repr(one.encode())[2:-1],
    "Python, twice": lambda one: repr(repr(one)[1:-1])[1:-1],
    "PowerShell, '": lambda one: re.sub("['\u2018\u2019\u201a\u201b]", r"\g<0>\g<0>", one),
    'PowerShell, "': _in_double_quotes,
    'PowerShell, " doubled': lambda one: _in_double_quotes(one).replace('`"', '""'),
    "PowerShell, CLIXML": lambda one: escape(re.sub(r"_(?=x)|[\n\t]", lambda hit: f"_x{ord(hit.group()):04X}_", one)),
    "hex": lambda one: _hex(one.encode()),
    "hex, capital": lambda one: _hex(one.encode(), upper=True),
    "hex, blanks": lambda one: _hex(one.encode(), " "),
    "hex, colons, capital": lambda one: _hex(one.encode(), ":", upper=True),
    "hex, dashes": lambda one: _hex(one.encode(), "-"),
    "hex, dashes, capital": lambda one: _hex(one.encode(), "-", upper=True),
    "hex, commas": lambda one: _hex(one.encode(), ","),
    "hex, 0x": lambda one: _hex(one.encode(), ", ", "0x"),
    "hex, 0x, capital": lambda one: _hex(one.encode(), ",", "0x", upper=True),
    "hex, 0x, lines": lambda one: _hex(one.encode(), ",\n  ", "0x"),
    "hex, \\x": lambda one: _hex(one.encode(), "", "\\x"),
    "base64": lambda one: base64.b64encode(one.encode()).decode(),
    "base64, URL-safe": lambda one: base64.urlsafe_b64encode(one.encode()).decode(),
    "base64, no padding": lambda one: base64.urlsafe_b64encode(one.encode()).decode().rstrip("="),
    "base64 in percent": lambda one: quote(base64.b64encode(one.encode()).decode(), safe=""),
    "base64, \\/": lambda one: base64.b64encode(one.encode()).decode().replace("/", "\\/"),
    "base32": lambda one: base64.b32encode(one.encode()).decode(),
    "base32, no padding": lambda one: base64.b32encode(one.encode()).decode().rstrip("="),
    "UTF-16LE, base64": lambda one: base64.b64encode(one.encode("utf-16-le")).decode(),
    "UTF-16BE, base64": lambda one: base64.b64encode(one.encode("utf-16-be")).decode(),
    "UTF-16LE, hex": lambda one: _hex(one.encode("utf-16-le")),
    "UTF-16BE, hex, blanks, capital": lambda one: _hex(one.encode("utf-16-be"), " ", upper=True),
    "UTF-16, NULs between": "\0".join,
    "XML": escape,
    "XML, attribute": lambda one: quoteattr(one)[1:-1],
    "XML, apostrophe": lambda one: escape(one, {'"': "&quot;", "'": "&apos;"}),
    "XML, twice": lambda one: escape(escape(one)),
    "HTML": html.escape,
    "HTML, names": _named,
    "entities, decimal": lambda one: "".join(f"&#{ord(char)};" for char in one),
    "entities, decimal, padded": lambda one: "".join(f"&#{ord(char):07};" for char in one),
    "entities, hex": lambda one: "".join(f"&#x{ord(char):x};" for char in one),
    "entities, hex, padded, capital": lambda one: "".join(f"&#X{ord(char):06X};" for char in one),
    "coloured": "\x1b[0m\x1b[1;31m".join,
    "coloured in part": lambda one: f"{one[:3]}\x1b[38;5;196m\x1b[K{one[3:]}",
    "coloured, one byte": lambda one: f"{one[:2]}\x9b7m{one[2:]}",
    "a link of the terminal": lambda one: f"{one[:2]}\x1b]8;;https://example.com\x1b\\{one[2:]}",
    "coloured base64": lambda one: "\x1b[m".join(base64.b64encode(one.encode()).decode()),
    "coloured in visible escapes": lambda one: _inner("\x1b[31m".join(one)),
    "line ends of Windows": lambda one: one.replace("\n", "\r\n"),
}  # fmt: skip


def around(form: str) -> str:
    return f"before {form} after"


@pytest.fixture(scope="module")
def redactors() -> dict[str, Redactor]:
    return {name: Redactor([secret]) for name, secret in SECRETS.items()}


@pytest.mark.parametrize("form", FORMS)
def test_every_secret_is_masked_in_every_form(form: str, redactors: dict[str, Redactor]) -> None:
    for name, secret in SECRETS.items():
        assert redactors[name].clean(around(FORMS[form](secret))) == around(MASK), name


@pytest.mark.parametrize("form", FORMS)
def test_a_row_in_json_that_held_it_can_be_read_and_does_not_hold_it(form: str, redactors: dict[str, Redactor]) -> None:
    for name, secret in SECRETS.items():
        written = FORMS[form](secret)
        for ascii_only in (True, False):
            row = json.dumps({"kind": "Noted", "text": around(written), "n": 5}, ensure_ascii=ascii_only)
            cleaned = redactors[name].clean(row)
            assert json.loads(cleaned) == {"kind": "Noted", "text": around(MASK), "n": 5}, name
            assert redactors[name].clean(cleaned) == cleaned


@pytest.mark.parametrize("form", FORMS)
def test_it_is_masked_among_many_and_twice_in_a_text(form: str, many: Redactor) -> None:
    for name, secret in SECRETS.items():
        written = FORMS[form](secret)
        assert many.clean(f"{around(written)}; {around(written)}") == f"{around(MASK)}; {around(MASK)}", name


@pytest.fixture(scope="module")
def many() -> Redactor:
    others = (f"{number * 7919**4:018x}" for number in range(1, 300))
    return Redactor([*others, *SECRETS.values()])


WRAPS = [(64, "\n"), (76, "\n"), (76, "\r\n"), (64, "\r\n    "), (20, " \n")]


def wrapped(text: str, width: int, end: str) -> str:
    return end.join(text[at : at + width] for at in range(0, len(text), width))


ENCODINGS: list[tuple[Callable[[bytes], bytes | str], str]] = [
    (encode, encoding)
    for encode in (base64.b64encode, base64.urlsafe_b64encode, base64.b32encode, bytes.hex)
    for encoding in ("utf-8", "utf-16-le", "utf-16-be")
    if encode is not base64.b32encode or encoding == "utf-8"
]


@pytest.mark.parametrize(("width", "end"), WRAPS)
@pytest.mark.parametrize(("encode", "encoding"), ENCODINGS)
@pytest.mark.sampled
def test_within_a_longer_encoded_text_and_wrapped_into_lines_it_is_masked_at_every_offset(
    encode: Callable[[bytes], bytes | str], encoding: str, width: int, end: str, redactors: dict[str, Redactor]
) -> None:
    for name, secret in SECRETS.items():
        for before in range(12):
            made = encode(b"\xa5" * before + secret.encode(encoding) + b"\x5a" * 7)
            text = made if isinstance(made, str) else made.decode()
            cleaned = redactors[name].clean(around(wrapped(text, width, end)))
            shown = "".join(cleaned.removeprefix("before ").removesuffix(" after").split())
            head, mask, _ = shown.partition(MASK)
            assert mask, name
            assert text.startswith(head)
            # A character that holds bits of the secret and of its neighbour goes too.
            assert _outside(encode, before) - 1 <= len(head) <= _outside(encode, before), (name, before, cleaned)


def _outside(encode: Callable[[bytes], bytes | str], before: int) -> int:
    """How many characters hold bits of what stands before."""
    bits = {base64.b32encode: 5, bytes.hex: 4}.get(encode, 6)
    return -(-before * 8 // bits)


@pytest.mark.parametrize("before", ["", "a", "ab", "user:", "administrator:"])
def test_of_basic_authentication_no_bit_of_the_secret_stays(before: str) -> None:
    header = base64.b64encode(f"{before}S3cr3t-Passw0rd".encode()).decode()
    cleaned = Redactor(["S3cr3t-Passw0rd"]).clean(f"Authorization: Basic {header}")
    left = len(before) * 8 // 6
    assert cleaned == f"Authorization: Basic {header[:left]}{MASK}"


@pytest.mark.parametrize("width", [5, 9, 40, 80])
@pytest.mark.parametrize("secret", ["random", "key", "spaces", "umlauts", "digits"])
def test_what_a_console_wrapped_is_masked(secret: str, width: int, redactors: dict[str, Redactor]) -> None:
    written = wrapped(SECRETS[secret].rstrip("\n"), width, "\r\n")
    assert re.sub("-+|\r\n", "", redactors[secret].clean(around(written))) == around(MASK)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("read", ["latin-1", "utf-8"])
@pytest.mark.parametrize("secret", ["plain", "umlauts", "emoji", "quotes and backslashes", "random"])
def test_utf_16_that_was_read_as_something_else_is_masked(
    secret: str, read: str, encoding: str, redactors: dict[str, Redactor]
) -> None:
    written = around(SECRETS[secret]).encode(encoding).decode(read, "replace")
    assert redactors[secret].clean(written).replace("\0", "") == around(MASK)


def test_a_secret_that_is_no_utf_8_is_masked() -> None:
    secret = b"p\xe4ssw\xf6rd".decode("utf-8", "surrogateescape")  # as a variable of the environment has it
    redactor = Redactor([secret])
    for written in (secret, "p?ssw?rd", json.dumps(secret)[1:-1], "70e4737377f67264", "cORzc3f2cmQ="):
        assert redactor.clean(around(written)) == around(MASK)


OUTER = [
    "JSON",
    "JSON as it is",
    "JSON, \\u of all",
    "percent",
    "percent, form",
    "Python",
    "XML, apostrophe",
    "entities, hex",
]
NOISE = [
    "exit code 0",
    "7-Zip 24.08",
    "C:\\new\\table",
    "100 %",
    "a & b",
    '{"k": [1, 2]}',
    "\x1b[32mOK\x1b[0m",
    "$env:X\r\n",
    "é",
]
ALPHABETS = [range(33, 127), range(32, 127), [*range(33, 127), *range(0xC0, 0x180), 0x20AC, 0x1F511]]


@pytest.mark.parametrize("seed", range(100))
@pytest.mark.sampled(20)
def test_random_secrets_in_random_forms_among_other_text(seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - a fuzz that can be repeated
    secrets = [_secret(chance) for _ in range(chance.randint(1, 5))]
    redactor = Redactor(secrets)
    for _ in range(20):
        secret = chance.choice(secrets)
        before, after = chance.choice(NOISE), chance.choice(NOISE)
        form, outer = chance.choice(list(FORMS)), chance.choice(OUTER)
        inner = FORMS[form](secret)
        for name, write in (("alone", str), (outer, FORMS[outer])):
            text = write(f"{before}: {inner} | {after}")
            cleaned = redactor.clean(text)
            assert cleaned == f"{write(f'{before}: ')}{MASK}{write(f' | {after}')}", (secret, form, name)
            assert redactor.clean(cleaned) == cleaned


def _secret(chance: Random) -> str:
    alphabet = chance.choice(ALPHABETS)
    middle = "".join(chr(chance.choice(alphabet)) for _ in range(chance.randint(5, 30)))
    return f"{chance.choice('abcXYZ')}{middle}{chance.choice('defUVW')}"
