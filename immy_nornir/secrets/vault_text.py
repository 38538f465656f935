"""Ansible's vault format: an encrypted text and a password -> the text; the one owner of decryption.

Versions 1.1 and 1.2 of the format, as Ansible's guide "Encrypting content with Ansible Vault" defines it: a header,
then hex of three lines, themselves hex: salt, HMAC-SHA256 of the ciphertext, ciphertext (AES-256-CTR, padded by
PKCS#7). The keys come from PBKDF2 with HMAC-SHA256, 10,000 rounds. Pure. Not here: where passwords come from.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from dataclasses import dataclass

from immy_nornir.model.values import VAULT_HEADER

_ROUNDS = 10_000
_KEY, _IV = 32, 16
_BLOCK = 16


class VaultError(Exception):
    """What is wrong with an encrypted text, in words that hold nothing of it."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """An encrypted text, taken apart."""

    label: str
    """The id that its header names (1.2); empty where there is none."""
    salt: bytes
    digest: bytes
    body: bytes


def envelope_of(text: str) -> Envelope:
    """The parts of an encrypted text. Raises VaultError for what is none, or of an old version."""
    lines = text.split()
    header = lines[0].split(";") if lines else []
    if len(header) < 3 or header[0] != VAULT_HEADER:
        raise VaultError(f"it does not begin with {VAULT_HEADER};1.1;AES256")
    if header[1] not in ("1.1", "1.2") or header[2] != "AES256":
        raise VaultError("it is of a version that is not read, only 1.1 and 1.2 with AES256 are")
    try:
        parts = binascii.unhexlify("".join(lines[1:])).split(b"\n", 2)
        salt, digest, body = (binascii.unhexlify(part) for part in parts)
    except ValueError:  # binascii.Error is one
        raise VaultError("it is damaged: it is not the hexadecimal text that was written") from None
    label = header[3].strip() if len(header) > 3 else ""
    return Envelope(label, salt, digest, body)


def decrypt(envelope: Envelope, password: bytes) -> bytes | None:
    """The text; None where the password is not the one it was encrypted with."""
    derived = hashlib.pbkdf2_hmac("sha256", password, envelope.salt, _ROUNDS, 2 * _KEY + _IV)
    expected = hmac.digest(derived[_KEY : 2 * _KEY], envelope.body, "sha256")
    if not hmac.compare_digest(expected, envelope.digest):
        return None
    # Loaded where something is decrypted: it takes longer than all of `immy --help`.
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    cipher = Cipher(algorithms.AES(derived[:_KEY]), modes.CTR(derived[2 * _KEY :])).decryptor()
    padded = cipher.update(envelope.body) + cipher.finalize()
    count = padded[-1] if padded else 0
    if not 1 <= count <= _BLOCK or padded[-count:] != bytes([count]) * count:
        raise VaultError("it is damaged: its end is not as it was written")
    return padded[:-count]
