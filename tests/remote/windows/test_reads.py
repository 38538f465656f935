"""Every reading operation of the Windows runner, in both editions, in one request each."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from immy_nornir.model.values import Json
from immy_nornir.model.wire import Answer, AnswerStatus, Read, ReadOperation
from immy_nornir.remote.windows import bundle
from tests.powershell import PWSH, needs_pwsh
from tests.remote.windows.processes import Machine, value
from tests.waiting import ENOUGH

pytestmark = [needs_pwsh, pytest.mark.slow]

CIM = Path(__file__).parent / "cim"
SID = "S-1-5-21-1-2-3-1001"
UNINSTALL = "Microsoft\\Windows\\CurrentVersion\\Uninstall"
CODE = "{23170F69-40C1-2702-2408-000001000000}"
CONTROL = "SYSTEM\\CurrentControlSet\\Control"
CLASS = f"{CONTROL}\\Class\\{{4d36e972-e325-11ce-bfc1-08002be10318}}"
REGISTRY = {
    "HKLM": {
        f"SOFTWARE\\{UNINSTALL}\\{CODE}": {
            "DisplayName": "7-Zip 24.08 (x64) äß€",
            "DisplayVersion": "24.08.00.0",
            "Publisher": "Igor Pavlov",
            "UninstallString": f"MsiExec.exe /I{CODE}",
        },
        f"SOFTWARE\\{UNINSTALL}\\AddressBook": {},
        f"SOFTWARE\\{UNINSTALL}\\Git_is1": {"DisplayName": "Git", "QuietUninstallString": '"C:\\x y\\u.exe" /SILENT'},
        f"SOFTWARE\\WOW6432Node\\{UNINSTALL}\\Old": {"DisplayName": "Old thing", "SystemComponent": 1},
        # 7-Zip's product code as Windows Installer packs it, under a packed upgrade code.
        "SOFTWARE\\Classes\\Installer\\UpgradeCodes\\96F071321C0420720000000040000000": {
            "96F071321C0420724280000010000000": ""
        },
        "SOFTWARE\\Microsoft\\Cryptography": {"MachineGuid": "0AB12C3D-0000-4000-8000-000000000001"},
        "SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion": {
            "ProductName": "Windows 10 Pro",
            "CurrentBuildNumber": "26100",
            "CurrentMajorVersionNumber": 10,
            "CurrentMinorVersionNumber": 0,
            "UBR": 2314,
            "DisplayVersion": "24H2",
        },
        f"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList\\{SID}": {"ProfileImagePath": "C:\\Users\\ann"},
        f"{CONTROL}\\Session Manager\\Memory Management\\PrefetchParameters": {"BootId": 42},
        f"{CONTROL}\\Session Manager": {
            "PendingFileRenameOperations": {"type": "MultiString", "value": ["\\??\\C:\\a", ""]}
        },
        f"{CONTROL}\\Session Manager\\Environment": {"PROCESSOR_ARCHITECTURE": "ARM64"},
        f"{CONTROL}\\ComputerName\\ActiveComputerName": {"ComputerName": "PC-OLD"},
        f"{CONTROL}\\ComputerName\\ComputerName": {"ComputerName": "PC-NEW"},
        f"{CONTROL}\\ProductOptions": {"ProductType": "WinNT"},
        "HARDWARE\\DESCRIPTION\\System\\BIOS": {"EnclosureType": 10, "SystemManufacturer": "Contoso"},
        "SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters": {
            "Hostname": "a-long-name-of-a-computer",
            "Domain": "corp.example",
        },
        "SYSTEM\\CurrentControlSet\\Services\\Netlogon": {"JoinDomain": "x"},
        "SYSTEM\\CurrentControlSet\\Services\\late": {"Start": 2, "DelayedAutostart": 1},
        "SYSTEM\\CurrentControlSet\\Services\\auto": {"Start": 2},
        "SYSTEM\\CurrentControlSet\\Services\\hand": {"Start": 3},
        "SYSTEM\\CurrentControlSet\\Services\\off": {"Start": 4},
        "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\RebootPending": {},
        "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\Auto Update\\RebootRequired": {},
        "SOFTWARE\\Microsoft\\Updates": {"UpdateExeVolatile": 2},
        "SOFTWARE\\Microsoft\\ServerManager": {"CurrentRebootAttempts": 1},
        "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\RunOnce": {"DVDRebootSignal": "x"},
        "SYSTEM\\DriverDatabase\\DriverInfFiles\\oem7.inf": {"": {"type": "MultiString", "value": ["nic.inf_amd64_1"]}},
        f"{CLASS}\\0000": {"DriverDesc": "Fast NIC", "DriverVersion": "1.9.0.0", "InfPath": "oem7.inf"},
        f"{CLASS}\\0001": {"DriverDesc": "Fast NIC #2", "DriverVersion": "1.10.0.0", "InfPath": "oem7.inf"},
        f"{CLASS}\\0002": {"DriverDesc": "Other", "DriverVersion": "9.9.0.0", "InfPath": "other.inf"},
        "SOFTWARE\\Kinds": {
            "text": "ä \"quoted\" \\ and\ttab",
            "expand": {"type": "ExpandString", "value": "%TEMP%\\x"},
            "dword": {"type": "DWord", "value": 4294967295},
            "qword": {"type": "QWord", "value": 1099511627776},
            "many": {"type": "MultiString", "value": ["one"]},
            "bytes": {"type": "Binary", "value": "AAEC"},
            "": "the default",
        },
    },
    "HKU": {
        f"{SID}\\Volatile Environment": {"USERNAME": "ann", "USERDOMAIN": "CORP", "USERPROFILE": "C:\\Users\\ann"},
        f"{SID}\\Software\\{UNINSTALL}\\Zoom": {"DisplayName": "Zoom", "DisplayVersion": "6.1"},
        f"{SID}\\Software\\Setting": {"on": 1},
        f"{SID}_Classes\\x": {"y": 1},
    },
}  # fmt: skip

WINGET = r"""
case "$*" in
  "list --id Google.Chrome"*) printf 'x\r\\\r-\rName           Id            Version        Available  Quelle\n---------\nGoogle Chrome  Google.Chrome 131.0.6778.86  131.0.6778.109 winget\n' ;;
  "list --id Mozilla.Firefox"*) printf 'Name   Id   Version  Source\n-----\nFirefox  Mozilla.Firefox  133.0  winget\n' ;;
  "show --id Mozilla.Firefox"*) printf 'Found Firefox [Mozilla.Firefox]\nVersion\n-------\n134.0\n133.0\n' ;;
  "list --id Away.Source"*) echo 'Failed when searching source: winget'; exit 21 ;;
  "list --id Says.Nothing"*) ;;
  "list --id Cut.Off"*) printf 'Name   Id        Version  Source\n-----\nCut    Cut.O…  133.0  winget\n' ;;
  "list --id Half.Known"*) printf 'Name   Id   Version  Source\n-----\nHalf  Half.Known  1.0  winget\n' ;;
  "show --id Half.Known"*) echo 'The source is away'; exit 69 ;;
  "list --id No.Version"*) printf 'Name   Id   Version  Source\n-----\nNo  No.Version  Unknown  winget\n' ;;
  "show --id No.Version"*) printf 'Found No [No.Version]\nVersion\n-------\n2.0\n' ;;
  "show --id No.List"*) echo 'Found it' ;;
  *) echo 'No installed package found matching input criteria.'; exit 20 ;;
esac
"""  # noqa: E501
CHOCO = r"""
case "$*" in
  --version) echo 2.4.0 ;;
  *--local-only*) echo 'Invalid argument --local-only' ;;
  "list "*" git") echo 'git|2.40.0' ;;
  "search "*" git") echo 'git|2.47.1' ;;
  "search "*" curl") echo 'curl|8.11' ;;
  "list "*" locked") echo 'Access to the path is denied.'; exit 1 ;;
  "list "*" half") echo 'half|1.0' ;;
  "search "*" half") echo 'Unable to load the service index'; exit 1 ;;
  "list "*" feed") echo 'feed|1.0' ;;
  "search "*" feed") echo 'Unable to connect to source' ;;
  "list "*" enhanced" | "search "*" enhanced") exit 2 ;;
esac
"""


BROKEN_WINGET: dict[str, Json] = {
    "Away.Source": {
        "error": "winget list: it ended with exit code 21 (0x00000015): Failed when searching source: winget"
    },
    "Says.Nothing": {"error": "winget list: it ended well, and no row names Says.Nothing"},
    "Cut.Off": {"error": "winget list: it ended well, and no row names Cut.Off: Cut    Cut.O…  133.0  winget"},
    "Half.Known": {
        "installed": "1.0",
        "candidate": None,
        "candidate_error": "winget show: it ended with exit code 69 (0x00000045): The source is away",
    },
    "No.Version": {"installed": "Unknown", "candidate": "2.0"},
    "No.List": {
        "installed": None,
        "candidate": None,
        "candidate_error": "winget show: it ended well, and lists no versions: Found it",
    },
}
BROKEN_CHOCO: dict[str, Json] = {
    "locked": {"error": "choco list: it ended with exit code 1 (0x00000001): Access to the path is denied."},
    "half": {
        "installed": "1.0",
        "candidate": None,
        "candidate_error": "choco search: it ended with exit code 1 (0x00000001): Unable to load the service index",
    },
    "feed": {
        "installed": "1.0",
        "candidate": None,
        "candidate_error": "choco search: it names no version: Unable to connect to source",
    },
    "enhanced": {"installed": None, "candidate": None},
}


def add_package_managers(machine: Machine) -> None:
    """Programs that print what winget and choco print."""
    folder = machine.folder / "bin"
    folder.mkdir()
    for name, text in (("winget", WINGET), ("choco", CHOCO)):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{text}")
        path.chmod(0o755)
    machine.environment["PATH"] = f"{folder}:{machine.environment['PATH']}"


def operations(folder: Path) -> list[ReadOperation]:
    kinds: list[Json] = [
        {"key": "HKLM:\\SOFTWARE\\Kinds", "name": name} for name in ("text", "expand", "dword", "qword")
    ]
    kinds += [{"key": "HKEY_LOCAL_MACHINE\\SOFTWARE\\Kinds", "name": name} for name in ("many", "bytes", "", "none")]
    user: dict[str, Json] = {"key": "HKCU\\Software\\Setting", "name": "on"}
    return [
        ReadOperation("identity", Read.IDENTITY),
        ReadOperation("facts", Read.FACTS, {"sections": ["hardware", "users", "network"]}),
        ReadOperation("software", Read.SOFTWARE),
        ReadOperation("registry", Read.REGISTRY, {"values": [*kinds, user]}),
        ReadOperation("bad_hive", Read.REGISTRY, {"values": [{"key": "HKXX\\a", "name": "b"}]}),
        ReadOperation("one", Read.REGISTRY, {"values": [user]}),
        ReadOperation("service", Read.SERVICE, {"names": ["late", "auto", "hand", "off", "nope", "au*"]}),
        ReadOperation("file", Read.FILE, {"paths": [str(folder / "a.txt"), str(folder), str(folder / "no"), "a\0b"]}),
        ReadOperation("inf", Read.DRIVER, {"name": "nic.inf"}),
        ReadOperation("device", Read.DRIVER, {"name": "fast*"}),
        ReadOperation("no_driver", Read.DRIVER, {"name": "no such"}),
        ReadOperation("winget", Read.PACKAGES, {"manager": "winget", "names": ["Google.Chrome", "Mozilla.Firefox"]}),
        ReadOperation("winget_none", Read.PACKAGES, {"manager": "winget", "names": ["No.Such"]}),
        ReadOperation(
            "winget_broken", Read.PACKAGES, {"manager": "winget", "names": [*BROKEN_WINGET, "Mozilla.Firefox"]}
        ),
        ReadOperation("choco_broken", Read.PACKAGES, {"manager": "choco", "names": [*BROKEN_CHOCO, "git"]}),
        ReadOperation("choco", Read.PACKAGES, {"manager": "chocolatey", "names": ["git", "curl", "none"]}),
        ReadOperation("apt", Read.PACKAGES, {"manager": "apt", "names": ["htop"]}),
    ]


@pytest.fixture(scope="module")
def machine(edition: str, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    folder = tmp_path_factory.mktemp("reads")
    (folder / "a.txt").write_bytes(b"hello\n")
    machine = Machine(folder, edition, REGISTRY)
    add_package_managers(machine)
    return machine


@pytest.fixture(scope="module")
def answers(machine: Machine) -> Mapping[str, Answer]:
    transport_answers = machine.connection().read(operations(machine.folder))
    assert all(answer.warnings == () for answer in transport_answers.values())
    return transport_answers


def test_identity_is_told_by_the_registry_where_cim_is_missing(answers: Mapping[str, Answer]) -> None:
    told = value(answers["identity"])
    assert told["name"] == "a-long-name-of-a-computer"
    assert told["domain"] == "corp.example"
    assert (told["uuid"], told["uuid_source"]) == ("0ab12c3d-0000-4000-8000-000000000001", "machine_guid")
    assert told["platform"] == "windows"
    assert told["boot"]["id"] == "42"
    assert told["users"] == ["CORP\\ann"]
    system = told["system"]
    assert (system["os"], system["version"], system["build"]) == ("Windows 11 Pro", "10.0.26100", "26100.2314")
    assert (system["architecture"], system["chassis"], system["role"]) == ("arm64", "laptop", "workstation")
    assert system["manufacturer"] == "Contoso"
    assert abs(system["time"] - told["boot"]["time"]) > 1


def test_cim_tells_what_the_registry_does_not_know(edition: str, tmp_path: Path) -> None:
    identity = Machine(tmp_path, edition, REGISTRY).connection(PSModulePath=str(CIM)).identify()
    assert (identity.uuid, identity.uuid_source) == ("4c4c4544-0042-3510-8052-b4c04f4a3233", "smbios")
    assert identity.domain == ""
    system = identity.system
    assert (system["os"], system["memory_gb"], system["chassis"]) == ("Microsoft Windows 11 Pro", 16.0, "desktop")
    assert identity.boot.time is not None
    assert isinstance(system["time"], float)
    assert abs(system["time"] - identity.boot.time - 3600) < 60


def test_a_cim_that_hangs_does_not_keep_the_identity(tmp_path: Path) -> None:
    identity = Machine(tmp_path, "", REGISTRY).connection(PSModulePath=str(CIM), IMMY_TEST_CIM="hangs").identify()
    assert (identity.name, identity.uuid_source) == ("a-long-name-of-a-computer", "machine_guid")


def test_pending_reboots_are_told_by_source(answers: Mapping[str, Answer]) -> None:
    assert value(answers["identity"])["pending_reboots"] == [
        "component_based_servicing",
        "windows_update",
        "file_rename",
        "computer_rename",
        "domain_join",
        "updates_exe_volatile",
        "server_manager",
        "run_once",
    ]


ZONE = f"{CONTROL}\\TimeZoneInformation"


@pytest.mark.parametrize("edition", ["", "5.1"])
@pytest.mark.parametrize(
    ("values", "zone"),
    [
        ({"TimeZoneKeyName": "W. Europe Standard Time"}, "W. Europe Standard Time"),
        ({"TimeZoneKeyName": "UTC\0pe Standard Time"}, "UTC"),
        ({"TimeZoneKeyName": "UTC", "DynamicDaylightTimeDisabled": 0}, "UTC"),
        ({"TimeZoneKeyName": "UTC", "DynamicDaylightTimeDisabled": 1}, "UTC"),
        ({"TimeZoneKeyName": "Europe/Berlin", "DynamicDaylightTimeDisabled": 1}, "Europe/Berlin_dstoff"),
    ],
    ids=["a name", "the rest of a longer name", "clock changes", "none to be turned off", "turned off"],
)
@pytest.mark.sampled
def test_the_time_zone_is_told_by_windows_own_name(
    tmp_path: Path, edition: str, values: dict[str, Json], zone: str
) -> None:
    identity = Machine(tmp_path, edition, {"HKLM": {ZONE: values}}).connection().identify()
    assert identity.system["time_zone"] == zone


def test_without_a_name_in_the_registry_the_zone_is_what_dotnet_says(tmp_path: Path) -> None:
    identity = Machine(tmp_path, "").connection(TZ="Asia/Kolkata").identify()
    assert identity.system["time_zone"] == "Asia/Kolkata"


@pytest.fixture(scope="module")
def bare(edition: str, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Answer]:
    """What a computer with an empty registry answers."""
    return (
        Machine(tmp_path_factory.mktemp("bare"), edition)
        .connection()
        .read(
            [
                ReadOperation("identity", Read.IDENTITY),
                ReadOperation("hive", Read.REGISTRY, {"values": [{"key": "HKCU\\Software\\A", "name": "x"}]}),
                ReadOperation("winget", Read.PACKAGES, {"manager": "winget", "names": ["x"]}),
            ]
        )
    )


def test_an_empty_registry_gives_an_identity_without_pending_reboots(bare: Mapping[str, Answer]) -> None:
    told = value(bare["identity"])
    assert told["name"]
    assert told["pending_reboots"] == []
    assert not told["uuid"]
    assert not told["uuid_source"]


def test_installed_software_comes_from_both_views_and_every_users_hive(answers: Mapping[str, Answer]) -> None:
    found = {entry["name"]: entry for entry in value(answers["software"])}
    assert set(found) == {"7-Zip 24.08 (x64) äß€", "Git", "Old thing", "Zoom"}
    seven = found["7-Zip 24.08 (x64) äß€"]
    assert (seven["product_code"], seven["upgrade_code"]) == (CODE, "{23170F69-40C1-2702-0000-000004000000}")
    assert (seven["scope"], seven["view"], seven["sid"]) == ("machine", "64", None)
    assert (found["Old thing"]["view"], found["Old thing"]["system_component"]) == ("32", "1")
    assert (found["Zoom"]["scope"], found["Zoom"]["sid"], found["Zoom"]["version"]) == ("user", SID, "6.1")
    assert found["Git"]["quiet_uninstall"] == '"C:\\x y\\u.exe" /SILENT'


def test_registry_values_keep_their_types(answers: Mapping[str, Answer]) -> None:
    told = value(answers["registry"])
    assert [(one["type"], one["value"]) for one in told[:8]] == [
        ("String", 'ä "quoted" \\ and\ttab'),
        ("ExpandString", "%TEMP%\\x"),
        ("DWord", 4294967295),
        ("QWord", 1099511627776),
        ("MultiString", ["one"]),
        ("Binary", "AAEC"),
        ("String", "the default"),
        (None, None),
    ]
    assert told[8]["users"] == {SID: {"exists": True, "type": "DWord", "value": 1}}
    assert isinstance(value(answers["one"]), list)
    assert len(value(answers["one"])) == 1


def test_an_unknown_hive_costs_its_own_row_only(answers: Mapping[str, Answer]) -> None:
    assert value(answers["bad_hive"]) == [{"error": "the registry has no hive 'HKXX'"}]


def test_service_startup_comes_from_the_registry(answers: Mapping[str, Answer]) -> None:
    told = value(answers["service"])
    assert {name: one and one["startup"] for name, one in told.items()} == {
        "late": "delayed",
        "auto": "automatic",
        "hand": "manual",
        "off": "disabled",
        "nope": None,
        "au*": None,
    }


def test_files_tell_their_hash_and_size(machine: Machine, answers: Mapping[str, Answer]) -> None:
    told = value(answers["file"])
    file = told[str(machine.folder / "a.txt")]
    assert (file["sha256"], file["size"]) == (hashlib.sha256(b"hello\n").hexdigest(), 6)
    assert told[str(machine.folder)]["sha256"] is None
    assert told[str(machine.folder / "no")] is None
    assert told["a\0b"]["error"]


def test_drivers_tell_their_newest_version(answers: Mapping[str, Answer]) -> None:
    versions = [value(answers[name])["version"] for name in ("inf", "device", "no_driver")]
    assert versions == ["1.10.0.0", "1.10.0.0", None]


def test_package_managers_are_read_by_their_command_lines(answers: Mapping[str, Answer]) -> None:
    assert value(answers["winget"]) == {
        "Google.Chrome": {"installed": "131.0.6778.86", "candidate": "131.0.6778.109"},
        "Mozilla.Firefox": {"installed": "133.0", "candidate": "134.0"},
    }
    assert value(answers["winget_none"]) == {"No.Such": {"installed": None, "candidate": None}}
    assert value(answers["choco"]) == {
        "git": {"installed": "2.40.0", "candidate": "2.47.1"},
        "curl": {"installed": None, "candidate": "8.11"},
        "none": {"installed": None, "candidate": None},
    }


def test_a_package_manager_that_gives_no_answer_is_not_read_as_absence(answers: Mapping[str, Answer]) -> None:
    firefox = {"installed": "133.0", "candidate": "134.0"}
    assert value(answers["winget_broken"]) == {**BROKEN_WINGET, "Mozilla.Firefox": firefox}
    git = {"installed": "2.40.0", "candidate": "2.47.1"}
    assert value(answers["choco_broken"]) == {**BROKEN_CHOCO, "git": git}


SERVICES = """
function Get-Service {
    [CmdletBinding()] param([string]$Name)
    if ($Name -eq 'hidden') { Write-Error 'Access is denied.' -ErrorId 'CouldNotGetServiceInfo' }
    else { Write-Error "no service $Name" -ErrorId 'NoServiceFoundForGivenName' }
}
"""


def test_one_thing_that_cannot_be_read_costs_only_itself(edition: str, tmp_path: Path) -> None:
    module = tmp_path / "modules" / "Services"
    module.mkdir(parents=True)
    (module / "Services.psm1").write_text(SERVICES)
    machine = Machine(tmp_path / "pc", edition, {"HKLM": {"SOFTWARE\\A": {"good": 1}}})
    machine.environment["PSModulePath"] += f":{module.parent}"
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    values: list[Json] = [{"key": "HKXX\\A", "name": "x"}, {"key": "HKLM\\SOFTWARE\\A", "name": "good"}]
    told = machine.connection().read(
        [
            ReadOperation("registry", Read.REGISTRY, {"values": values}),
            ReadOperation("service", Read.SERVICE, {"names": ["hidden", "none"]}),
            ReadOperation("file", Read.FILE, {"paths": [str(circle / "a"), str(tmp_path / "none")]}),
        ]
    )
    assert value(told["registry"])[1] == {"exists": True, "type": "DWord", "value": 1}
    assert value(told["service"]) == {"hidden": {"error": "service hidden: Access is denied."}, "none": None}
    assert value(told["file"])[str(tmp_path / "none")] is None
    assert value(told["file"])[str(circle / "a")]["error"]


def test_a_registry_that_cannot_be_read_is_no_registry_without_software(edition: str, tmp_path: Path) -> None:
    bad = {"DisplayName": {"type": "DWord", "value": "no number"}}
    machine = Machine(tmp_path, edition, {"HKLM": {f"SOFTWARE\\{UNINSTALL}\\Broken": bad}})
    registry: dict[str, Json] = {"values": [{"key": "HKCU\\A", "name": "x"}, {"key": "HKLM\\A", "name": "x"}]}
    told = machine.connection().read(
        [ReadOperation("software", Read.SOFTWARE), ReadOperation("registry", Read.REGISTRY, registry)]
    )
    entries = value(told["software"])
    assert entries
    assert all(one["error"].startswith(f"HKLM\\SOFTWARE\\{UNINSTALL}") for one in entries)
    assert all(one["error"] for one in value(told["registry"]))


# A hive of which one entry, one upgrade code and one device may be read by nobody.
DENIED = r"""
function Open-ImmyHive([string]$hive, [string]$view) {
    function New-Key($values, $keys) {
        $made = [pscustomobject]@{ values = $values; keys = $keys }
        $made | Add-Member ScriptMethod GetValue { param($name) $this.values[$name] }
        $made | Add-Member ScriptMethod GetSubKeyNames { @($this.keys.Keys) }
        $made | Add-Member ScriptMethod GetValueNames { @($this.values.Keys) }
        $made | Add-Member ScriptMethod OpenSubKey { param($path)
            if ($this.keys.Contains($path)) {
                if ($this.keys[$path]) { return $this.keys[$path] }
                throw (New-Object Security.SecurityException 'Requested registry access is not allowed.')
            }
            $null
        } -PassThru
    }
    if ($hive -eq 'Users') { return New-Key @{} @{} }
    $good = New-Key @{ DisplayName = 'Good'; DisplayVersion = '1' } @{}
    $product = '{23170F69-40C1-2702-2408-000001000000}'
    $entries = New-Key @{} ([ordered]@{ Broken = $null; $product = $good })
    $class = New-Key @{} @{ '0000' = $null }
    New-Key @{} @{
        'SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall' = $entries
        'SOFTWARE\Classes\Installer\UpgradeCodes' = New-Key @{} @{ '96F071321C0420720000000040000000' = $null }
        'SYSTEM\CurrentControlSet\Control\Class' = New-Key @{} @{ net = $class }
    }
}
ConvertTo-ImmyJson @((Read-ImmySoftware) | Where-Object { $_['error'] -or $_.view -eq '64' })
try { Read-ImmyDriver @{ name = 'nic*' } } catch { $_.Exception.Message }
"""


def test_an_entry_that_nobody_may_read_is_told_among_the_others(edition: str, tmp_path: Path) -> None:
    program = "\n".join(bundle.script_text(name) for name in bundle.READING)
    file = tmp_path / "denied.ps1"
    file.write_text(f"{program}\n{DENIED}")
    machine = Machine(tmp_path / "pc", edition)
    said = subprocess.run(
        [PWSH, "-File", file], capture_output=True, text=True, env=machine.environment, check=True, timeout=ENOUGH
    )
    listed, driver = said.stdout.splitlines()
    rows = json.loads(listed)
    why = "Requested registry access is not allowed."
    place = f"HKLM\\SOFTWARE\\{UNINSTALL}"
    assert {"key": "Broken", "error": f"{place}\\Broken: {why}"} in rows
    assert [one["name"] for one in rows if "name" in one] == ["Good"]
    upgrade = next(one for one in rows if one.get("upgrade_code"))
    assert upgrade["upgrade_code"] == "{23170F69-40C1-2702-0000-000004000000}"
    assert upgrade["error"].endswith(why)
    assert why in driver


def test_nobodys_hive_is_told_as_nobodys(bare: Mapping[str, Answer]) -> None:
    assert value(bare["hive"])[0]["users"] == {}


def test_a_missing_package_manager_is_an_error_of_that_operation(bare: Mapping[str, Answer]) -> None:
    assert bare["winget"].status is AnswerStatus.FAILED
    assert "winget is not installed" in bare["winget"].error


def test_facts_come_by_section(answers: Mapping[str, Answer]) -> None:
    facts = value(answers["facts"])
    assert facts["users"] == {"logged_on": [{"name": "CORP\\ann", "sid": SID}], "profiles": ["ann"]}
    assert facts["hardware"]["manufacturer"] == "Contoso"
    assert isinstance(facts["hardware"]["disks"], list)
    assert isinstance(facts["network"]["adapters"], list)
    assert facts["network"]["domain"] == "corp.example"
