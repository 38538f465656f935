"""The output of jobs is in the record and the reports: whole up to the limit, else beginning, mark and end."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from immy_nornir.lab import Knobs, Lab, Trouble

from .fleets import Fleet, fleet, software_files, write

pytestmark = pytest.mark.slow

RUN = ("run", "playbooks/all.yml", "--yes", "--no-report")
SIZES = {"small": 100, "past-a-piece": 300_000, "whole": 3_500_000, "huge": 9_000_000}


def expected(size: int) -> str:
    count = size // len("line 00000001\r\n") + 1
    return "".join(f"line {number:08}\r\n" for number in range(count))[:size] + "software/alpha: package done\r\n"


def is_kept(output: str, whole: str) -> bool:
    """Whether it is the whole output, or its beginning and end with a mark that counts what is missing."""
    if len(whole) <= 4_000_000:
        return output == whole
    head, _, rest = output.partition("[immy: ")
    size, _, tail = rest.partition(" bytes of output are left out here]\n")
    return (
        whole.startswith(head)
        and whole.endswith(tail)
        and min(len(head), len(tail)) >= 2_000_000
        and len(head) + int(size.replace(",", "")) + len(tail) == len(whole)
    )


@pytest.mark.parametrize("seconds", [0.0, 4.0], ids=["at once", "while it is at work"])
def test_output_is_complete_up_to_the_limit_and_its_end_is_kept(tmp_path: Path, seconds: float) -> None:
    specs = {name: {"prints": {"software/alpha": size}} for name, size in SIZES.items()}
    files = software_files(("alpha",), ())
    with fleet(tmp_path, list(SIZES), files, specs=specs, knobs=Knobs(install_seconds=seconds)) as one:
        one.immy(*RUN)
        for name, size in SIZES.items():
            [job] = one.show(name)["jobs"]
            assert is_kept(job["output"], expected(size)), f"{name}: {len(job['output'])}"
        shown = one.immy("sessions", "show", "whole")
        assert "      | [...]\n" in shown
        assert "software/alpha: package done" in shown
        report = json.loads(one.immy("report", "--format", "json"))
        text = json.dumps(report)
        assert text.count("software/alpha: package done") >= len(SIZES)
        assert "bytes of output are left out here" in text


def test_output_that_cannot_be_read_to_its_end_does_not_change_how_the_job_ended(tmp_path: Path) -> None:
    specs = {"pc": {"prints": {"software/alpha": 1_000_000}}}
    with fleet(tmp_path, ["pc"], software_files(("alpha",), ()), specs=specs) as one:
        one.lab.trouble("pc", Trouble("Receive", operation="job.wait", reset=True))
        one.immy(*RUN)
        assert one.statuses() == {"pc": "passed"}
        [job] = one.show("pc")["jobs"]
        assert (job["state"], job["exit_code"]) == ("finished", 0)
        assert job["output"].startswith("line 00000000\r\n")
        assert "bytes of output could not be read: " in job["output"]
        assert len(one.lab.events("job_created")) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="local computers are POSIX ones")
def test_a_real_job_that_prints_much_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    files = {
        "inventory/hosts.yml": "all: {hosts: {localhost: {ansible_connection: local}}}\n",
        "playbooks/all.yml": "- {name: here, hosts: localhost, maintenance: full}\n",
        "playbooks/deployments/here.yml": json.dumps(
            [
                {
                    "item": "task/thing",
                    "target": "localhost",
                    "mode": "enforce",
                    "params": {"folder": str(tmp_path)},
                }
            ]
        ),
        "tasks/maintenance/thing/task.yml": (
            "platform: linux\nparameters: {folder: {type: text, required: true}}\ntest: test.sh\nset: set.sh\n"
        ),
        "tasks/maintenance/thing/test.sh": 'test -e "$IMMY_FOLDER/installed"\n',
        "tasks/maintenance/thing/set.sh": (
            'seq 1 1000000\nsleep 3\ntouch "$IMMY_FOLDER/installed"\necho "the last word"\n'
        ),
    }
    write(tmp_path, files)
    here = Fleet(tmp_path, Lab([], folder=tmp_path / "lab"), {"IMMY_SPOOL": str(tmp_path / "spool")})
    here.immy(*RUN)
    [job] = here.show("localhost")["jobs"]
    whole = "".join(f"{number}\n" for number in range(1, 1_000_001)) + "the last word\n"
    assert is_kept(job["output"], whole), job["output"][:100] + job["output"][-100:]
