"""The forms in which programs write a secret value, as far as undoing escapes does not show the value itself.

A value that is short or a common word has no form but itself, as a whole word: its encodings and its parts are
everywhere in ordinary texts.
"""

from __future__ import annotations

import base64
import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from immy_nornir.text.redaction.unwrap import DEPTH, SEPARATORS, packed, resolved

SHORT: Final = 6
"""Values shorter than this are weak, and no form that is shorter is looked for."""
LINE: Final = 8
"""Lines of a value of several lines that are as long as this are secret alone; so is a value that was wrapped."""

COMMON: Final = frozenset(
    # Shorter ones are weak anyway.
    """
    access account administrator administrators backup change changeme client company computer config
    configuration connect contoso customer database default disabled domain download enable enabled example
    desktop failed global google hardware install installed
    internet letmein localhost manager master microsoft monitor network
    nobody office online operator oracle passphrase passwd password passwort postgres private public remote
    restart router running secret secrets secure security server service services session settings software
    standard script scripts software standard
    started status stopped success support sysadmin system temporary tester testing training trusted
    ubuntu unknown update updates upgrade username vagrant version welcome willkommen windows workgroup
    """.split()  # noqa: SIM905 - a list of words, one a line, is no better to read
)
"""Words that stand in outputs and messages of every computer, in small letters."""


class Kind(Enum):
    """Where a form counts."""

    PLAIN = auto()
    """Anywhere in the text, once its escapes are resolved."""
    WORD = auto()
    """There too, but neither letters nor digits may stand beside it."""
    ENCODED = auto()
    """In the text without separators."""
    WRAPPED = auto()
    """There too, where nothing was taken out but white space, and a line end among it."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a secret value; `before` and `after` say that the characters beside it hold bits of the value."""

    text: str
    kind: Kind
    before: bool = False
    after: bool = False
    spelled: str = ""
    """Of a wrapped form: the value without white space only."""


def weakness(value: str) -> str:
    """Why a value is masked only as a whole word, in words that do not tell it; empty where it is masked anywhere."""
    plain = value.strip()
    if len(plain) < SHORT:
        return f"shorter than {SHORT} characters"
    return "a common word" if plain.lower() in COMMON else ""


def forms_of(value: str) -> Iterator[Form]:
    """All forms of a value, the same one more than once."""
    if weakness(value):
        for text in _quoted(value.strip()):
            yield Form(known(text), Kind.WORD)
        return
    for one in _with_line_ends(value):
        for text in (*_quoted(one), *_misread(one)):
            yield from _plain(text)
        for data in _bytes_of(one):
            yield from _hex(data)
            yield from _base64(data)
        yield from _base32(_encoded(one, "utf-8"))
    for line in map(str.strip, value.splitlines()):
        if len(line) >= LINE and not line.startswith("-----") and not weakness(line):
            yield from _plain(line)
    *_, last = _layers(known(value))
    spelled = "".join(last.split()).strip(SEPARATORS)
    text = packed(spelled)
    if len(text) >= LINE:
        yield Form(text, Kind.WRAPPED, spelled=spelled)


def known(text: str) -> str:
    """The text with `?` for halves of characters, of the same length: the form in which texts are compared."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _with_line_ends(value: str) -> list[str]:
    unix = value.replace("\r\n", "\n")
    return list(dict.fromkeys((value, value.strip(), unix, unix.strip(), unix.replace("\n", "\r\n"))))


def _quoted(value: str) -> set[str]:
    """As it stands in quotes that are escaped by more than one character each, and in the query of a URL."""
    return {
        value,
        value.replace("'", "''"),
        value.replace('"', '""'),
        value.replace("'", "''").replace('"', '""'),
        re.sub("['\u2018\u2019\u201a\u201b]", r"\g<0>\g<0>", value),  # PowerShell takes all of them as quotes
        value.replace("'", "'\\''"),
        value.replace("'", "'\"'\"'"),
        value.replace(" ", "+"),
    }


def _misread(value: str) -> Iterator[str]:
    """As it looks where its bytes were taken for those of another encoding."""
    if value.isascii():
        return
    for written in ("utf-8", "utf-16-le", "utf-16-be"):
        data = _encoded(value, written)
        for read in ("latin-1", "cp1252", "utf-8"):
            yield data.decode(read, "replace").replace("\0", "")


def _plain(text: str) -> Iterator[Form]:
    # Where a value looks like an escape itself, undoing those of the text undoes it too.
    for one in _layers(known(text)):
        if len(one.strip()) >= SHORT:
            yield Form(one, Kind.PLAIN)


def _layers(text: str) -> Iterator[str]:
    yield text
    for _ in range(DEPTH):
        before, text = text, resolved(text).text
        if text == before:
            return
        yield text


for _name in ("utf-8", "utf-16-le", "utf-16-be", "latin-1", "cp1252"):
    codecs.lookup(_name)  # a codec is a file, which nobody may be able to open in the middle of the work


def _encoded(value: str, encoding: str) -> bytes:
    try:
        return value.encode(encoding, "surrogateescape")  # a variable of the environment that is not UTF-8
    except UnicodeEncodeError:
        return value.encode(encoding, "surrogatepass" if encoding.startswith("utf") else "replace")


def _bytes_of(value: str) -> Iterator[bytes]:
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        yield _encoded(value, encoding)
    if not value.isascii():
        yield _encoded(value, "cp1252")


def _hex(data: bytes) -> Iterator[Form]:
    for digits in (f"{one:02x}" for one in data), (f"{one:02X}" for one in data):
        pairs = list(digits)
        yield Form("".join(pairs), Kind.ENCODED)
        yield Form("0x" + "0x".join(pairs), Kind.ENCODED)


def _base64(data: bytes) -> Iterator[Form]:
    """Base64 of the bytes at every offset inside a longer text (`user:password`)."""
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield from _stretch(encode(b"\0" * offset + data).decode(), 6, offset, len(data))


def _base32(data: bytes) -> Iterator[Form]:
    for offset in range(5):
        yield from _stretch(base64.b32encode(b"\0" * offset + data).decode(), 5, offset, len(data))


def _stretch(text: str, bits: int, offset: int, size: int) -> list[Form]:
    """The characters that hold bits of these bytes and of nothing else."""
    start, end = -(-offset * 8 // bits), (offset + size) * 8 // bits
    if end - start < SHORT:
        return []
    return [Form(packed(text[start:end]), Kind.ENCODED, offset * 8 % bits != 0, (offset + size) * 8 % bits != 0)]
