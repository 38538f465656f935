"""Ansible's vault for one process: encrypted texts -> plain ones, with the passwords that the operator gave.

Implements model.protocols.Vault, which the loader of inventories uses for whole files; the store of secrets uses it for
references `vault:...`. Nothing is decrypted before it is asked for. Messages hold references, ids and reasons only.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from immy_nornir.errors import SecretError
from immy_nornir.model.values import SecretRef
from immy_nornir.secrets.vault_passwords import NoPasswordError, Passwords
from immy_nornir.secrets.vault_text import Envelope, VaultError, decrypt, envelope_of


class Vault:
    """Opens texts; each once. Many threads may ask at the same time."""

    def __init__(self, passwords: Passwords | None = None) -> None:
        self.passwords = Passwords() if passwords is None else passwords
        self.references: dict[str, SecretRef] = {}
        """What the fleet's files refer to, by reference: one that comes back from a record has no text of its own."""
        self._values: dict[str, str] = {}
        self._opened: dict[str, str | SecretError] = {}
        self._lock = threading.Lock()

    def learn(self, references: Iterable[SecretRef]) -> None:
        """Keep the fleet's references."""
        self.references.update((one.reference, one) for one in references)

    def keep(self, reference: str, value: str) -> None:
        """Keep a value of a whole file that was opened."""
        self._values[reference] = value

    def reveal(self, reference: SecretRef) -> str:
        """The value of a reference `vault:...`. Raises SecretError."""
        value = self._values.get(reference.reference)
        if value is not None:
            return value
        known = reference if reference.sealed else self.references.get(reference.reference)
        if known is None or not known.sealed:
            raise SecretError(
                "its encrypted text is not in the fleet's files, or its file was not opened",
                "look whether the files have changed, and give the vault's password as before",
            )
        return self.open(known.sealed)

    def open(self, text: str) -> str:
        """The plain text of an encrypted one. Raises SecretError, the same one each time."""
        with self._lock:
            found = self._opened.get(text)
            if found is None:
                try:
                    found = self._open(text)
                except SecretError as error:
                    found = error
                self._opened[text] = found
        if isinstance(found, SecretError):
            raise SecretError(found.message, found.advice)
        return found

    def _open(self, text: str) -> str:
        try:
            envelope = envelope_of(text)
            plain = self._decrypt(envelope)
        except VaultError as error:
            raise SecretError(
                f"this is no text of Ansible's vault that can be read: {error}", "encrypt it again with ansible-vault"
            ) from None
        try:
            return plain.decode()
        except UnicodeDecodeError:
            raise SecretError("what is encrypted is not text in UTF-8", "encrypt it as UTF-8 text") from None

    def _decrypt(self, envelope: Envelope) -> bytes:
        sources = self.passwords.sources
        label = f" with the id '{envelope.label}'" if envelope.label else ""
        if not sources:
            raise SecretError(
                f"it is encrypted with Ansible's vault{label}, and no password for it was given", advice(envelope.label)
            )
        failed: list[str] = []
        # The id is a nickname only: its own password is tried first, then all others, as Ansible does.
        for source in sorted(sources, key=lambda one: one.label != envelope.label):
            try:
                plain = decrypt(envelope, self.passwords.of(source))
            except NoPasswordError as error:
                failed.append(str(error))
                continue
            if plain is not None:
                return plain
            failed.append(f"that of '{source.label}@{source.where}' is not the one")
        raise SecretError(
            f"it is encrypted with Ansible's vault{label}, and no password opens it: {'; '.join(failed)}",
            advice(envelope.label),
        )


def advice(label: str) -> str:
    """What to type for a text with this id."""
    if label:
        return f"give --vault-id {label}@PATH, or --vault-id {label}@prompt"
    return "give --vault-password-file PATH, or --vault-id @prompt"
