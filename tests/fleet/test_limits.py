"""`playbooks/limits.yml`: what lint says of it, and which slots a computer's session then needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from immy_nornir.cli.commands.files.lint import problems_of
from immy_nornir.decide.limits import Member, needs_of
from immy_nornir.fleet.load import load_fleet
from immy_nornir.model.places import Level

from .kit import fleet

INVENTORY = {
    "inventory/hosts.yml": (
        "tenants: {children: {acme: {hosts: {a: , b: }}}}\ndcs: {hosts: {a: }}\nvms: {hosts: {b: }}\n"
    )
}
FILE = "playbooks/limits.yml"


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("computer: 3\n", f"{FILE}:1:1", "did you mean 'computers'?"),
        ("computers: 0\n", f"{FILE}:1:12", "at least 1"),
        ("per_site: many\n", f"{FILE}:1:11", "a number of computers"),
        ("groups: [{group: dc, max_rebooting: 1}]\n", f"{FILE}:1:18", "did you mean 'dcs'?"),
        ("groups: [{group: dcs}]\n", f"{FILE}:1:10", "nothing is limited of dcs"),
        ("groups: [{group: dcs, computers: 1}, {group: dcs, computers: 2}]\n", f"{FILE}:1:38", "stands twice"),
        (
            "groups: [{group: dcs, reboot_after: vms}, {group: vms, reboot_after: dcs}]\n",
            f"{FILE}:1:10",
            "goes in a circle",
        ),
        ("groups: [{group: tenants, reboot_after: vms}]\n", f"{FILE}:1:10", "b would wait for itself"),
        ("groups: [{group: dcs, per: region, computers: 1}]\n", f"{FILE}:1:28", "fleet, tenant"),
    ],
)
def test_lint_names_the_place_and_what_to_try(tmp_path: Path, text: str, place: str, says: str) -> None:
    problems = [one for one in problems_of(fleet(tmp_path, {**INVENTORY, FILE: text})) if one.level is Level.ERROR]
    assert any(str(one).startswith(place) and says in str(one) for one in problems), problems


def test_a_computer_needs_the_slots_of_its_tenant_its_site_and_its_groups(tmp_path: Path) -> None:
    text = (
        "computers: 9\nper_tenant: 5\nper_site: 3\ndownloads_per_site: 1\n"
        "groups:\n- {group: dcs, max_rebooting: 1, per: tenant, reboot_after: vms}\n"
        "- {group: vms, computers: 2, per: site}\n"
    )
    loaded, problems = load_fleet(fleet(tmp_path, {**INVENTORY, FILE: text}))
    assert [one for one in problems if one.place.file == FILE] == []
    dc = needs_of(loaded.limits, Member("a", "acme", "hq", ("dcs",)))
    assert [slot.key for slot in dc.work] == ["computers", "computers of tenant acme", "computers at acme/hq"]
    assert [(slot.key, slot.most, slot.shared) for slot in dc.reboot] == [("reboots of dcs of acme", 1, True)]
    assert dc.after == ("vms of acme",)
    vm = needs_of(loaded.limits, Member("b", "acme", "", ("vms",)))
    assert [slot.key for slot in vm.work][-2:] == ["computers at acme", "computers of vms at acme"]
    assert vm.counts_as == ("vms of acme",)
    assert vm.download is not None
    assert vm.download.key == "downloads at acme"
