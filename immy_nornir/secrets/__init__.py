"""References to secrets go in, values come out, when a connection or a job needs them; the redactor learns each."""

from immy_nornir.secrets.store import SecretStore

__all__ = ["SecretStore"]
