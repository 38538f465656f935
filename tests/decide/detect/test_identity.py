"""Whether the computer that answers is the one that is meant."""

from __future__ import annotations

import pytest

from immy_nornir.decide.detect.identity import identity_mismatch
from immy_nornir.model.facts import Identity

SEEN = Identity("PC1", "corp", "aaaa-1", "smbios")


@pytest.mark.parametrize(
    ("pinned", "found", "before", "wrong"),
    [
        ({}, SEEN, None, ""),
        ({"uuid": "aaaa-1", "uuid_source": "smbios"}, SEEN, None, ""),
        ({"uuid": "{AAAA-1}"}, SEEN, None, ""),
        ({"uuid": "bbbb-2"}, SEEN, None, "its uuid is aaaa-1, expected bbbb-2"),
        ({"uuid": "bbbb-2", "uuid_source": "machine_guid"}, SEEN, None, ""),
        ({"name": "pc1", "domain": "CORP"}, SEEN, None, ""),
        ({"name": "PC2"}, SEEN, None, "its name is PC1, expected PC2"),
        ({"domain": "other"}, SEEN, None, "its domain is corp"),
        ({"uuid": "bbbb-2"}, Identity("PC1"), None, ""),
        ({}, Identity("PC1", uuid="bbbb-2", uuid_source="smbios"), SEEN, "its uuid is bbbb-2, expected aaaa-1"),
        ({}, Identity("NEW", uuid="aaaa-1", uuid_source="smbios"), SEEN, ""),
        ({}, Identity("PC1", uuid="zz", uuid_source="machine_guid"), SEEN, ""),
        ({"name": "PC1"}, Identity("PC9", uuid="zz", uuid_source="machine_guid"), SEEN, "its name is PC9"),
    ],
    ids=[
        "nothing is known: it is believed",
        "the same",
        "case and braces do not matter",
        "another uuid",
        "uuids of different sources cannot be compared",
        "name and domain without case",
        "another name",
        "another domain",
        "a computer that cannot tell its uuid",
        "another one than before in the session",
        "renamed in the session",
        "another source than before in the session",
        "another name where uuids cannot be compared",
    ],
)
def test_identity(pinned: dict[str, str], found: Identity, before: Identity | None, wrong: str) -> None:
    said = identity_mismatch(pinned, found, before)
    assert wrong in said
    assert bool(said) is bool(wrong)
