"""Secret values -> `[secret]` in every text that leaves the process: logs, records, messages, output of jobs.

Knows only the values it was told of (`add`); secrets.SecretStore tells it of every value it reveals. Beside a value as
it is, the forms are found in which programs write it. Not here: guessing what might be a secret.
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

from immy_nornir.text import json

MASK: Final = "[secret]"
SHORT: Final = 4
"""Values shorter than this are replaced only where they stand alone as a word."""

FEW = 256


class Redactor:
    """Replaces known secret values in texts; many threads may add and clean at the same time.

    The time that a text takes does not depend on how many values are known.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._values: set[str] = set()
        # First characters of a form -> forms that begin so, longest first: otherwise a secret that begins with
        # another one would be replaced in part. Tuples are replaced whole, so that readers need no lock.
        self._forms: dict[str, tuple[str, ...]] = {}
        self._short: re.Pattern[str] | None = None
        for value in values:
            self.add(value)

    def add(self, value: str) -> None:
        """Make a value known; empty ones and pure white space are ignored."""
        if not value.strip():
            return
        with self._lock:
            if value in self._values:
                return
            self._values.add(value)
            if len(value) < SHORT:
                short = sorted((one for one in self._values if len(one) < SHORT), key=len, reverse=True)
                self._short = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, short))})(?!\w)")
                return
            for form in set(_forms(value)):
                head = form[:SHORT]
                known = {*self._forms.get(head, ()), form}
                self._forms[head] = tuple(sorted(known, key=lambda one: (-len(one), one)))

    def clean(self, text: str, *, weak: bool = True) -> str:
        """The text with every known value, in every known form, replaced by `[secret]`; not `weak`: no weak ones."""
        forms = self._forms
        # Few secrets, as usual: looking for their beginnings is many times quicker than walking through the text.
        if forms and (len(forms) > FEW or _any_in(list(forms), text)):
            hits = [place for place in range(len(text) - SHORT + 1) if text[place : place + SHORT] in forms]
            text = self._replace(text, hits) if hits else text
        return self._short.sub(MASK, text) if weak and self._short is not None else text

    def _replace(self, text: str, hits: Iterable[int]) -> str:
        parts: list[str] = []
        end = 0
        for place in hits:
            if place < end:
                continue
            for form in self._forms[text[place : place + SHORT]]:
                if text.startswith(form, place):
                    parts += text[end:place], MASK
                    end = place + len(form)
                    break
        return "".join([*parts, text[end:]])

    def clean_value(self, value: Any) -> Any:
        """A copy of nested lists and maps with every text in them cleaned, keys included; other values stay."""
        match value:
            case str():
                return self.clean(value)
            case Mapping():
                return {self.clean_value(key): self.clean_value(child) for key, child in value.items()}
            case list():
                return [self.clean_value(child) for child in value]
            case tuple():
                return tuple(self.clean_value(child) for child in value)
            case bytes():
                return self.clean(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
            case _:
                return value


def _any_in(heads: Iterable[str], text: str) -> bool:
    for head in heads:  # noqa: SIM110 - any() with a generator takes three times as long, for every text there is
        if head in text:
            return True
    return False


def _forms(value: str) -> Iterator[str]:
    yield value
    if "\n" in value:  # output that was split into lines, or whose line ends were changed
        yield value.replace("\r\n", "\n").replace("\n", "\r\n")
        yield from (line.strip() for line in value.splitlines() if len(line.strip()) >= 2 * SHORT)
    for encoding in ("utf-8", "utf-16-le"):
        yield from _base64_forms(value.encode(encoding, "surrogatepass"))
    plain = value.encode("utf-8", "surrogatepass")
    for form in (quote(plain, safe=""), quote(plain), quote_plus(plain)):
        yield form
        yield re.sub("%[0-9A-F]{2}", lambda found: found.group().lower(), form)
    yield json.line(value)[1:-1]
    yield json.line(value, ascii=False)[1:-1]
    yield _powershell_json(value)
    yield escape(value)
    yield quoteattr(value)[1:-1]
    yield escape(value, {'"': "&quot;", "'": "&apos;"})
    yield escape(value, {'"': "&quot;", "'": "&#39;"})
    yield escape(value, {'"': "&#34;", "'": "&#39;"})
    yield escape(value, {'"': "&quot;", "'": "&#x27;"})
    yield value.replace("'", "''")  # inside PowerShell's single quotes
    yield value.replace("'", "'\\''")  # inside a shell's single quotes


def _base64_forms(data: bytes) -> Iterator[str]:
    """Base64 of the bytes, and of the bytes at every offset inside a longer encoded text (`user:password`)."""
    whole = base64.b64encode(data).decode("ascii")
    yield whole
    yield whole.rstrip("=")
    yield base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")
    for offset in (0, 1, 2):
        middle = base64.b64encode(b"\0" * offset + data).decode("ascii")
        start = (offset * 8 + 5) // 6  # characters that hold bits of what stands before
        end = (offset + len(data)) * 8 // 6  # and of what comes after
        if end - start >= 2 * SHORT:
            yield middle[start:end]


def _powershell_json(value: str) -> str:
    """As Windows PowerShell's ConvertTo-Json writes it: `<`, `>`, `&` and `'` as \\u escapes."""
    return re.sub(r"[<>&']", lambda found: f"\\u{ord(found.group()):04x}", json.line(value, ascii=False)[1:-1])
