param([string]$processes, [string]$posix_processes)
# A name that Windows may refuse to read is no answer: whatever goes wrong here must not end as "ready".
$ErrorActionPreference = 'Stop'
$busy = @()
$setup = [Microsoft.Win32.RegistryKey]::OpenBaseKey('LocalMachine', 'Registry64').OpenSubKey('SYSTEM\Setup')
if ($null -ne $setup -and [int]$setup.GetValue('SystemSetupInProgress', 0) -ne 0) { $busy += 'Windows is being set up' }
# The mutex is held while an MSI changes the computer; msiexec.exe itself lingers and proves nothing.
try {
    $mutex = [System.Threading.Mutex]::OpenExisting('Global\_MSIExecute')
    $mutex.Dispose()
    $busy += 'an MSI is being installed'
}
catch [System.Threading.WaitHandleCannotBeOpenedException] { }
catch [System.UnauthorizedAccessException] { $busy += 'an MSI is being installed' }
$names = @($processes -split '\s+' | Where-Object { $_ })
foreach ($one in @(Get-Process | Where-Object { $names -contains $_.ProcessName })) {
    if ($one.ProcessName -eq 'TiWorker') {
        $before = $one.CPU
        if ($null -eq $before) { throw 'whether TiWorker is at work cannot be read' }
        Start-Sleep -Milliseconds 1500
        $later = Get-Process -Id $one.Id -ErrorAction SilentlyContinue
        if ($null -eq $later -or ($later.CPU - $before) -lt 0.1) { continue }
    }
    $busy += "$($one.ProcessName) is at work"
}
foreach ($what in $busy) { Write-Warning $what }
$busy.Count -eq 0
