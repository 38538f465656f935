"""Ten thousand computers load quickly and in little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import ENOUGH

LOAD = """\
import sys, time
from pathlib import Path
begin = time.process_time()
from immy_nornir.fleet.inventory.load import load_inventory
inventory, problems = load_inventory([Path(sys.argv[1])])
print(len(inventory.computers), len(problems), time.process_time() - begin)
"""


def _yaml(count: int) -> str:
    lines = ["tenants:", "  vars: {ansible_connection: winrm, ansible_port: 5986}", "  children:"]
    for tenant in range(count // 50):
        lines += [f"    tenant{tenant:03d}:", f"      vars: {{site: site{tenant % 7}}}", "      hosts:"]
        for number in range(tenant * 50, tenant * 50 + 50):
            lines += [
                f"        pc{number:05d}.tenant{tenant:03d}.example.com:",
                f"          ansible_host: 10.{number // 65536}.{number // 256 % 256}.{number % 256}",
                f"          immy_identity: SERIAL-{number:08d}",
                f"          immy_primary_user: user{number}@tenant{tenant:03d}.example.com",
                f"          role: {('desk', 'laptop', 'server')[number % 3]}",
                f"          asset: {number}",
                f"          immy_tags: [ring{number % 3}, floor{number % 5}]",
                f"          building: {{name: north, floor: {number % 9}, room: {number % 100}}}",
            ]
    return "\n".join(lines) + "\n"


def _ini(count: int) -> str:
    lines = []
    for tenant in range(count // 50):
        lines.append(f"[tenant{tenant:03d}]")
        for number in range(tenant * 50, tenant * 50 + 50):
            lines.append(
                f"pc{number:05d}.example.com ansible_host=10.0.{number // 256}.{number % 256} "
                f"immy_identity=SERIAL-{number:08d} role='desk' asset={number} tags=\"['a', 'b']\""
            )
    return "\n".join(lines) + "\n"


@pytest.mark.slow
@pytest.mark.parametrize("file", ["fleet.yml", "fleet.ini"])
def test_ten_thousand_computers_load_within_five_seconds_of_processor_time(file: str, tmp_path: Path) -> None:
    path = tmp_path / file
    path.write_text(_yaml(10_000) if file.endswith("yml") else _ini(10_000))
    ended = subprocess.run(
        [sys.executable, "-c", LOAD, str(path)], capture_output=True, text=True, check=True, timeout=ENOUGH
    )
    count, problems, seconds = ended.stdout.split()
    assert (count, problems) == ("10000", "0")
    assert float(seconds) < 5
