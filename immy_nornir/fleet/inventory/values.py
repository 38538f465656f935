"""Nodes of Ansible's YAML, and Python literals of INI files -> values; equal values are shared.

The readers of inventory files and of group_vars and host_vars use it. It turns `{secret: ...}` into
references, `!vault` and the values of encrypted files too, and finds what reads differently than it looks.
Templates stay text.
"""

from __future__ import annotations

import ast
import base64
import binascii
import re
import sys
import warnings
from typing import cast

from immy_nornir.fleet.inventory.draft import NOTHING, Draft, Spots, Variables, spot
from immy_nornir.model.places import Place
from immy_nornir.model.values import VAULT_HEADER, VAULT_TAGS, SecretRef, UnsafeText, Value, vaulted, vaulted_part
from immy_nornir.text import json
from immy_nornir.text.references import SCHEMES, NoReferenceError, reference_of
from immy_nornir.text.yaml import (
    BOOL,
    FLOAT,
    INT,
    MAX_DIGITS,
    MERGE,
    NULL,
    STR,
    Dialect,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    place_of,
    scalar,
    timestamp,
    untagged,
)

_SHORT = 3_000
"""No number in a shorter text has too many digits."""
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_BINARY = "tag:yaml.org,2002:binary"
_KNOWN_CONTAINERS = {
    "tag:yaml.org,2002:map",
    "tag:yaml.org,2002:seq",
    "tag:yaml.org,2002:set",
    "tag:yaml.org,2002:omap",
    "tag:yaml.org,2002:pairs",
    "!unsafe",
}
_ODD_BOOL = frozenset(("yes", "no", "on", "off"))
_OPEN = re.compile(
    r"immy_\w+|ansible_(?:connection|port|shell_type|become|become_method|network_os|\w+_(?:interpreter|args))"
    r"|ansible_(?:winrm|psrp|ssh)_(?:port|scheme|protocol|transport|auth|server_cert_validation|cert_validation"
    r"|message_encryption|\w+_timeout(?:_sec)?)"
)
"""Variables of an encrypted file that say how, not who: decisions need them, and their words are everybody's."""
_ONE_TEMPLATE = re.compile(r"\{\{[^{}'\"]*\}\}")
_CLEAR = re.compile(r"^(ansible_(\w+_)?(password|pass|passphrase)|ansible_sudo_pass|ansible_su_pass)$")


class Reading:
    """Turns the nodes of one load into values; keep one for all files so that equal values are shared."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self._scalars: dict[tuple[str, str], Value] = {}
        self._shared: dict[tuple[object, ...], Value] = {}
        self._literals: dict[str, Value] = {}
        self._file = ""
        self._base = 0
        self._is_json = False
        self._by_node: dict[int, Value] = {}
        self._open: set[int] = set()
        self._odd: set[tuple[str, str, str]] = set()
        self._variable = ""
        self._sealed = ""

    @property
    def spots(self) -> Spots:
        """The places of this load."""
        return self.draft.spots

    def begin(self, file: str, *, is_json: bool = False, sealed: str = "") -> None:
        """Go to another file; nodes of the file before must not be given any more.

        `sealed` is the text of a file that was encrypted: its values become references.
        """
        self._sealed = sealed
        self._file = file
        self._base = self.spots.base(file)
        self._is_json = is_json
        self._by_node.clear()

    def place(self, node: Node) -> Place:
        """Where a node begins in this file."""
        return place_of(node, self._file)

    def spot(self, node: Node) -> int:
        """Where a node begins, packed."""
        return spot(self._base, node.start_mark.line + 1, node.start_mark.column + 1)

    def pairs(self, node: MappingNode) -> dict[str, tuple[Node, Node]]:
        """The entries of a mapping by key, merge keys applied; the last of equal keys wins, as in Ansible."""
        result: dict[str, tuple[Node, Node]] = {}
        for key, child in node.value:
            if key.tag == MERGE:
                sources = child.value if isinstance(child, SequenceNode) else [child]
                for source in reversed(sources):
                    if isinstance(source, MappingNode) and id(source) not in self._open:
                        self._open.add(id(source))
                        result.update(self.pairs(source))
                        self._open.discard(id(source))
        for key, child in node.value:
            if key.tag != MERGE:
                result[self.key(key)] = (key, child)
        return result

    def key(self, node: Node) -> str:
        """A key as text: what JSON makes of it when it is no text."""
        if isinstance(node, ScalarNode):
            if node.tag == STR:
                return sys.intern(node.value)
            value = self._clear_scalar(node)
            return value if isinstance(value, str) else key_text(value)
        self.draft.error(
            self.place(node), "a list or mapping cannot be a key", 'put quotes around a template: "{{ name }}"'
        )
        return "?"

    def variables(self, node: MappingNode) -> Variables:
        """The variables of a mapping, with their places."""
        pairs = self.pairs(node)
        if not pairs:
            return NOTHING
        values: dict[str, Value] = {}
        spots: dict[str, int] = {}
        for name, (key, child) in pairs.items():
            self._variable = name
            value = values[name] = self.value(child)
            spots[name] = self.spot(key)
            if isinstance(value, str) and is_password_name(name):
                warn_clear_password(self.draft, self.place(child), name, value)
        return Variables(values, spots)

    def value(self, node: Node) -> Value:
        """One node as a value."""
        if isinstance(node, ScalarNode):
            return self.scalar(node)
        known = self._by_node.get(id(node), self)
        if known is not self:
            return cast(Value, known)
        if id(node) in self._open:
            self.draft.error(self.place(node), "this value contains itself through an alias", "remove the alias inside")
            return None
        self._open.add(id(node))
        if node.tag not in _KNOWN_CONTAINERS:
            self._unknown_tag(node)
        value = self._sequence(node) if isinstance(node, SequenceNode) else self._mapping(cast(MappingNode, node))
        self._open.discard(id(node))
        self._by_node[id(node)] = value
        return value

    def _sequence(self, node: SequenceNode) -> Value:
        items = [self.value(child) for child in node.value]
        return self._shared.setdefault(("list", *map(id, items)), items)

    def _mapping(self, node: MappingNode) -> Value:
        pairs = self.pairs(node)
        if len(pairs) == 1:
            [(name, (_, child))] = pairs.items()
            if self._is_json and name == "__ansible_unsafe" and isinstance(child, ScalarNode):
                return UnsafeText(child.value)
            reference = self._reference(name, child)
            if reference is not None:
                return reference
        values = {name: self.value(child) for name, (_, child) in pairs.items()}
        shape = tuple(x for name, value in values.items() for x in (name, id(value)))
        return self._shared.setdefault(("map", *shape), values)

    def _reference(self, name: str, node: Node) -> SecretRef | None:
        """What a mapping with this one key refers to; None where it is a mapping like any other."""
        if name == "__ansible_vault" and self._is_json and isinstance(node, ScalarNode):
            return self._vaulted(node)
        sealed, self._sealed = self._sealed, ""
        try:
            if name != "secret" or not (isinstance(node, ScalarNode) or self._is_command(node)):
                return None
            return secret(self.draft, self.place(node), self.value(node))
        finally:
            self._sealed = sealed

    def _is_command(self, node: Node) -> bool:
        return isinstance(node, MappingNode) and "command" in self.pairs(node)

    def _vaulted(self, node: ScalarNode) -> SecretRef:
        text = str(node.value)
        if not text.lstrip().startswith(VAULT_HEADER):
            self.draft.warning(
                self.place(node), "this is no text of Ansible's vault", "encrypt it with ansible-vault encrypt_string"
            )
        reference = vaulted(text, self.place(node))
        return self.draft.secrets.setdefault(reference.reference, reference)

    def scalar(self, node: ScalarNode) -> Value:
        """One scalar as Ansible reads it; a reference where its whole file was encrypted."""
        if not self._sealed:
            return self._clear_scalar(node)
        return self._closed(self._clear_scalar(node), node.value, self.place(node), self._variable)

    def sealing(self, sealed: str) -> None:
        """What is read from now on is in a file that was encrypted, or (empty) is not."""
        self._sealed = sealed

    def closed_literal(self, name: str, value: Value, text: str, place: Place) -> Value:
        """A variable of an INI file: a reference where the whole file was encrypted."""
        return self._closed(value, text, place, name) if self._sealed else value

    def _closed(self, value: Value, text: str, place: Place, variable: str) -> Value:
        if value in (None, "") or isinstance(value, bool | SecretRef) or _OPEN.fullmatch(variable):
            return value
        if isinstance(value, str) and not isinstance(value, UnsafeText) and _ONE_TEMPLATE.fullmatch(value.strip()):
            return value
        reference = vaulted_part(self._sealed, place, variable)
        if self.draft.vault is not None:
            self.draft.vault.keep(reference.reference, value if isinstance(value, str) else text)
        return self.draft.secrets.setdefault(reference.reference, reference)

    def _clear_scalar(self, node: ScalarNode) -> Value:
        tag, text = node.tag, str(node.value)
        if self._is_json and not node.style:
            return cast(Value, json.parse(text))
        known = self._scalars.get((tag, text), self)
        if known is self:
            known = self._scalars[tag, text] = self._new_scalar(node)
        if tag not in (STR, NULL) and not isinstance(known, SecretRef):
            self._warn_odd(node, cast(Value, known))
        return cast(Value, known)

    def _new_scalar(self, node: ScalarNode) -> Value:
        tag, text = node.tag, str(node.value)
        if tag == STR:
            return sys.intern(text)
        if tag in (NULL, BOOL, INT, FLOAT):
            try:
                return scalar(node, Dialect.ANSIBLE)
            except (ValueError, IndexError, KeyError):
                self.draft.error(self.place(node), f"'{text}' cannot be read as {tag[18:]}", "put quotes around it")
                return text
        return timestamp(node) if tag == _TIMESTAMP else self._tagged_scalar(node)

    def _tagged_scalar(self, node: ScalarNode) -> Value:
        if node.tag == "!unsafe":
            value = self._new_scalar(untagged(node, Dialect.ANSIBLE))
            return UnsafeText(value) if isinstance(value, str) else value
        if node.tag in VAULT_TAGS:
            return self._vaulted(node)
        if node.tag == _BINARY:
            try:
                return base64.b64decode(node.value).decode("utf-8", "surrogateescape")
            except binascii.Error:
                self.draft.error(self.place(node), "this is not base64", "encode it again, or write it as text")
                return str(node.value)
        self._unknown_tag(node)
        return str(node.value)

    def _unknown_tag(self, node: Node) -> None:
        self.draft.error(
            self.place(node),
            f"the tag '{node.tag}' is not known here",
            "known are !unsafe and !vault; remove other tags",
        )

    def _warn_odd(self, node: ScalarNode, value: Value) -> None:
        """Say once in each file what reads differently than it looks."""
        tag, text = node.tag, str(node.value)
        if tag == BOOL:
            odd = text.lower() in _ODD_BOOL
        elif tag == INT:
            odd = ":" in text or (
                text.lstrip("+-").startswith("0") and text.lstrip("+-").isdigit() and str(value) != text
            )
        else:
            odd = tag == FLOAT and ":" in text
        if not odd or (self._file, self._variable, text) in self._odd:
            return
        self._odd.add((self._file, self._variable, text))
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        self.draft.warning(
            self.place(node),
            f"'{text}' means {shown} in an inventory (YAML 1.1)",
            f"write {shown} if that is meant, or '{text}' in quotes for the text",
        )

    def literal(self, text: str, place: Place) -> Value:
        """A value of an INI inventory: a Python literal where it is one, else the text."""
        known = self._literals.get(text, self)
        if known is not self:
            return cast(Value, known)
        value, cacheable = self._new_literal(text, place)
        if cacheable:
            self._literals[text] = value
        return value

    def _new_literal(self, text: str, place: Place) -> tuple[Value, bool]:
        first = text.lstrip(" \t")[:1]
        if (
            first.isalpha()
            and text.lstrip(" \t")[:4] not in ("True", "Fals", "None")
            and "'" not in text
            and '"' not in text
        ):
            return sys.intern(text), True  # most values are words: never a literal
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                parsed = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return sys.intern(text), True
        except (TypeError, MemoryError, RecursionError):
            self.draft.error(place, "this value is no Python literal that can be read", "write it in YAML instead")
            return None, False
        if isinstance(parsed, str):
            return sys.intern(parsed), True
        if len(text) > _SHORT and _holds_long_number(parsed):
            self.draft.error(place, f"a number here has more than {MAX_DIGITS:,} digits", "put quotes around it")
            return None, False
        return self._coerce(parsed, place), not isinstance(parsed, dict | list | tuple | set)

    def _coerce(self, value: object, place: Place) -> Value:
        if isinstance(value, list | tuple | set):
            return [self._coerce(item, place) for item in value]
        if isinstance(value, dict):
            if set(value) == {"secret"} and isinstance(value["secret"], str):
                return secret(self.draft, place, value["secret"])
            return {
                key if isinstance(key, str) else key_text(cast(Value, key)): self._coerce(item, place)
                for key, item in value.items()
            }
        if value is ...:
            return "..."
        if isinstance(value, bytes):
            return UnsafeText(value.decode("utf-8", "surrogateescape"))
        return str(value) if isinstance(value, complex) else cast(Value, value)


def _holds_long_number(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_long_number, (*value.keys(), *value.values())))
    if isinstance(value, list | tuple | set):
        return any(map(_holds_long_number, value))
    return isinstance(value, int) and value.bit_length() > MAX_DIGITS * 10 // 3


def key_text(value: Value) -> str:
    """A key that is no text, as JSON writes it."""
    if value is None or isinstance(value, bool):
        return json.line(value)
    return str(value)


def secret(draft: Draft, place: Place, reference: Value) -> SecretRef:
    """A reference to a secret; what is none is a problem, whose text never repeats what stands there."""
    try:
        found = SecretRef(reference_of(reference), place)
    except NoReferenceError as error:
        draft.error(place, f"what stands after 'secret:' {error}", SCHEMES)
        return SecretRef("unknown", place)
    draft.secrets.setdefault(found.reference, found)
    return found


def is_password_name(name: str) -> bool:
    """Whether a variable of this name holds a password of Ansible's."""
    return _CLEAR.match(name) is not None


def warn_clear_password(draft: Draft, place: Place, name: str, value: str) -> None:
    """A password that everybody with the files can read."""
    if value and "{{" not in value:
        draft.warning(
            place,
            f"{name} is written in clear",
            f"write {name}: {{secret: env:NAME}} or {{secret: file:PATH}}",
        )
