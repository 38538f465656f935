"""Texts of Ansible's vault, made from the guide's words alone: nothing of the package is used here.

`cryptography` has the cipher only; keys, padding and the form of the text are written out.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def encrypted(plain: str, password: str, label: str = "") -> str:
    """What `ansible-vault encrypt` writes."""
    salt = os.urandom(32)
    keys = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 10000, 80)
    data = plain.encode()
    missing = 16 - len(data) % 16
    encryptor = Cipher(algorithms.AES256(keys[:32]), modes.CTR(keys[64:])).encryptor()
    body = encryptor.update(data + bytes([missing] * missing)) + encryptor.finalize()
    digest = hmac.new(keys[32:64], body, hashlib.sha256).hexdigest()
    inner = f"{salt.hex()}\n{digest}\n{body.hex()}".encode().hex()
    header = f"$ANSIBLE_VAULT;1.2;AES256;{label}" if label else "$ANSIBLE_VAULT;1.1;AES256"
    return "\n".join([header, *(inner[at : at + 80] for at in range(0, len(inner), 80))]) + "\n"


def tagged(text: str, indent: int) -> str:
    """An encrypted text as a value of YAML."""
    return "!vault |\n" + "".join(f"{' ' * indent}{line}\n" for line in text.splitlines())
