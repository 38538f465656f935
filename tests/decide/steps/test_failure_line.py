# ruff: noqa: E501 - lines of logs are as long as they are
"""Outputs of failed jobs as they are known to be -> the line that matters."""

from __future__ import annotations

import pytest

from immy_nornir.decide.steps.ends.failure_line import LONGEST, failure_line

MSI = r"""MSI (s) (A8:5C) [10:22:31:127]: Executing op: CustomActionSchedule(Action=StartSvc,ActionType=3073,Source=BinaryData,Target=StartSvc,)
MSI (s) (A8:5C) [10:22:32:221]: Executing op: ServiceControl(,Name=ExampleSvc,Action=1,Wait=1,)
MSI (s) (A8:5C) [10:22:33:004]: Note: 1: 2262 2: Error 3: -2147287038
MSI (s) (A8:5C) [10:22:33:011]: Product: Example Agent -- Error 1920. Service 'Example Agent' (ExampleSvc) failed to start.  Verify that you have sufficient privileges to start system services.

MSI (s) (A8:5C) [10:22:33:020]: User policy value 'DisableRollback' is 0
MSI (s) (A8:5C) [10:22:33:020]: Machine policy value 'DisableRollback' is 0
Action ended 10:22:33: InstallFinalize. Return value 3.
MSI (s) (A8:5C) [10:22:33:100]: Executing op: Header(Signature=1397708873,Version=500)
Action ended 10:22:34: INSTALL. Return value 3.
Property(S): ErrorDialog = SetupError
MSI (s) (A8:5C) [10:22:34:310]: Product: Example Agent -- Installation failed.
MSI (s) (A8:5C) [10:22:34:312]: MainEngineThread is returning 1603
"""
MSI_CUSTOM = """MSI (s) (A8:5C) [10:22:31:127]: Invoking remote custom action. DLL: C:\\Windows\\Installer\\MSI1.tmp, Entrypoint: Check
CustomAction CheckLicense returned actual error code 1603 (note this may not be 100% accurate if translation happened inside sandbox)
Action ended 10:22:33: CheckLicense. Return value 3.
Action ended 10:22:33: INSTALL. Return value 3.
"""
DPKG = """Reading package lists...
Preparing to unpack .../foo_2.0_amd64.deb ...
Unpacking foo (2.0) over (1.0) ...
dpkg: error processing archive /var/cache/apt/archives/foo_2.0_amd64.deb (--unpack):
 trying to overwrite '/usr/bin/foo', which is also in package bar 1.2-1
Errors were encountered while processing:
 /var/cache/apt/archives/foo_2.0_amd64.deb
E: Sub-process /usr/bin/dpkg returned an error code (1)
"""
UNMET = """Reading package lists...
Some packages could not be installed. This may mean that you have
requested an impossible situation or if you are using the unstable
distribution that some required packages have not yet been created
or been moved out of Incoming.
The following information may help to resolve the situation:

The following packages have unmet dependencies:
 foo : Depends: libbar2 (>= 2.4) but 2.1-3 is to be installed
E: Unable to correct problems, you have held broken packages.
"""
FETCH = """Err:1 http://deb.debian.org/debian bookworm/main amd64 foo amd64 2.0
  404  Not Found [IP: 151.101.2.132 80]
E: Failed to fetch http://deb.debian.org/debian/pool/main/f/foo/foo_2.0_amd64.deb  404  Not Found [IP: 151.101.2.132 80]
E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?
"""
LOCK = """E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1432 (unattended-upgr)
E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?
"""
POWERSHELL = """Stopping the service
Get-Item : Cannot find path 'C:\\Program Files\\Example' because it does not exist.
At C:\\ProgramData\\immy\\jobs\\1\\script.ps1:3 char:1
+ Get-Item 'C:\\Program Files\\Example'
+ ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
    + CategoryInfo          : ObjectNotFound: (C:\\Program Files\\Example:String) [Get-Item], ItemNotFoundException
    + FullyQualifiedErrorId : PathNotFound,Microsoft.PowerShell.Commands.GetItemCommand

"""
PYTHON = """Traceback (most recent call last):
  File "/opt/tool/setup.py", line 12, in <module>
    main()
PermissionError: [Errno 13] Permission denied: '/etc/tool.conf'
"""
DNF = """Last metadata expiration check: 0:12:31 ago on Sat Nov 28 04:01:54 2026.
No match for argument: foo
Error: Unable to find a match: foo
"""
DNF_PROBLEM = """Error:
 Problem: conflicting requests
  - nothing provides libbar.so.2()(64bit) needed by foo-2.0-1.x86_64
(try to add '--skip-broken' to skip uninstallable packages)
"""
CHOCO = """Chocolatey v2.2.2
Installing the following packages:
foo
foo not installed. The package was not found with the source(s) listed.
 Source(s): 'https://community.chocolatey.org/api/v2/'
Chocolatey installed 0/1 packages. 1 packages failed.
 See the log for details (C:\\ProgramData\\chocolatey\\logs\\chocolatey.log).
"""
WINGET = """Found Example [Vendor.Example] Version 2.0
Downloading https://example.com/setup.exe
Successfully verified installer hash
Starting package install...
Installer failed with exit code: 1603
Installer log is available at: C:\\Windows\\Temp\\WinGet-Vendor.Example.log
"""

CASES: dict[str, tuple[str, str]] = {
    "msi, the cause above the first action that failed": (
        MSI,
        (
            "Error 1920. Service 'Example Agent' (ExampleSvc) failed to start. Verify that you have sufficient privileges "
            "to start system services. (action InstallFinalize, return value 3)"
        ),
    ),
    "msi, a custom action": (
        MSI_CUSTOM,
        "CustomAction CheckLicense returned actual error code 1603 (action CheckLicense, return value 3)",
    ),
    "msi, nothing above": (
        "Action ended 10:22:33: INSTALL. Return value 3.\n",
        "Action ended 10:22:33: INSTALL. Return value 3.",
    ),
    "dpkg, with what its line goes on with": (
        DPKG,
        (
            "dpkg: error processing archive /var/cache/apt/archives/foo_2.0_amd64.deb (--unpack): "
            "trying to overwrite '/usr/bin/foo', which is also in package bar 1.2-1"
        ),
    ),
    "apt, unmet dependencies": (
        UNMET,
        (
            "foo : Depends: libbar2 (>= 2.4) but 2.1-3 is to be installed "
            "(E: Unable to correct problems, you have held broken packages.)"
        ),
    ),
    "apt, the first error": (
        FETCH,
        (
            "E: Failed to fetch http://deb.debian.org/debian/pool/main/f/foo/foo_2.0_amd64.deb "
            "404 Not Found [IP: 151.101.2.132 80]"
        ),
    ),
    "apt, who holds the lock": (
        LOCK,
        "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1432 (unattended-upgr)",
    ),
    "apt, unknown": ("Reading package lists...\nE: Unable to locate package foo\n", "E: Unable to locate package foo"),
    "dnf, no such package": (DNF, "No match for argument: foo"),
    "dnf, a problem": (DNF_PROBLEM, "Error: Problem: conflicting requests"),
    "Chocolatey": (CHOCO, "foo not installed. The package was not found with the source(s) listed."),
    "winget": (WINGET, "Installer failed with exit code: 1603"),
    "PowerShell, the message and not its decoration": (
        POWERSHELL,
        "Get-Item : Cannot find path 'C:\\Program Files\\Example' because it does not exist.",
    ),
    "Python's last line": (PYTHON, "PermissionError: [Errno 13] Permission denied: '/etc/tool.conf'"),
    "sh": ("+ step one\nscript: 3: frobnicate: not found\n", "script: 3: frobnicate: not found"),
    "curl": (
        "curl: (22) The requested URL returned error: 404\n\n",
        "curl: (22) The requested URL returned error: 404",
    ),
    "the last of several errors": ("error: one\nerror: two\nbye\n", "error: two"),
    "a count of no errors is none": ("checked: 0 errors\nlicence key is empty\n", "licence key is empty"),
    "no error at all: the last line": ("begin\nlicence key is empty\n\n", "licence key is empty"),
    "a word that only holds one": ("terrorist watch list read\nbye\n", "bye"),
    "colours and returns are no text": ("10%\r50%\r\x1b[31mError: broken\x1b[0m\r\n", "Error: broken"),
    "marks of our own are no output": ("a\n[immy: 12 bytes of output are left out here]\n", "a"),
    "nothing": ("", ""),
    "blank": (" \n\t\n", ""),
}


@pytest.mark.parametrize("name", list(CASES))
def test_the_line_that_matters(name: str) -> None:
    output, line = CASES[name]
    assert failure_line(output) == line
    assert failure_line(output.replace("\n", "\r\n")) == line


def test_it_is_one_line_of_bounded_length() -> None:
    long = failure_line("error: " + "x" * 10_000)
    assert (len(long), "\n" in long, long[-3:]) == (LONGEST, False, "...")


def test_without_an_error_a_job_that_ended_well_says_nothing() -> None:
    assert failure_line("begin\nbye\n", any_line=False) == ""
    assert failure_line(POWERSHELL, any_line=False).startswith("Get-Item")


MSI = f"{'-- ' * 300_000}\nAction ended 1: x. Return value 3\n"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["error " * 300_000, "\n" * 1_000_000, "a" * 4_000_000, "Action ended " * 200_000, MSI]
)
def test_any_output_is_looked_at_quickly(text: str) -> None:
    failure_line(text)
