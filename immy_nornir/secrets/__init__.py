"""References to secrets -> values."""

from immy_nornir.secrets.store import SecretStore

__all__ = ["SecretStore"]
