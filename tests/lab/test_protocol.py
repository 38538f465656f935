"""pywinrm, unmodified, talks to computers of the lab."""

from __future__ import annotations

import pytest
import winrm

from immy_nornir.lab import ComputerSpec, Lab
from tests.lab.client import ask, protocol

PC1 = ComputerSpec("pc1", "127.1.0.1", username="admin", password="geheim:1", domain="corp.example", users=("anna",))


def test_a_session_runs_a_command_over_basic_and_http() -> None:
    with Lab([PC1], https_port=None) as lab:
        session = winrm.Session(f"http://127.1.0.1:{lab.port}/wsman", (PC1.username, PC1.password), proxy=None)
        response = session.run_cmd("hostname")
        assert (response.status_code, response.std_out) == (0, b"pc1\r\n")
        assert lab.shells() == {}


def test_a_bundle_with_identity_is_answered_by_its_computer() -> None:
    with Lab([PC1], https_port=None) as lab:
        reply = ask(protocol(lab, PC1), ("identity", {}))
        assert [one["id"] for one in reply.frames] == ["o0", "!end"]
        assert reply.result()["name"] == "pc1"
        assert reply.result()["uuid"] == PC1.identity_uuid
        assert reply.result()["boot"]["id"] == "100"
        assert reply.frames[-1]["result"] == {"answered": 1, "untouched": []}
