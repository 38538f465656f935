# What `immy doctor` asks of a Windows computer beside its identity. It reads, and changes nothing.
param([string]$spool)

$found = @{}
function Add-Found([string]$name, [scriptblock]$read) {
    # Each by itself: what one may not read costs that one.
    try { $found[$name] = & $read } catch { $found[$name] = $null }
}

Add-Found 'user' { [string][Environment]::UserDomainName + '\' + [Environment]::UserName }
Add-Found 'administrator' {
    $me = [Security.Principal.WindowsIdentity]::GetCurrent()
    (New-Object Security.Principal.WindowsPrincipal $me).IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
}
Add-Found 'powershell' { $PSVersionTable.PSVersion.ToString() }
Add-Found 'language_mode' { [string]$ExecutionContext.SessionState.LanguageMode }
Add-Found 'max_memory_mb' { [int](Get-Item -LiteralPath 'WSMan:\localhost\Shell\MaxMemoryPerShellMB' -ErrorAction Stop).Value }
Add-Found 'max_shells' { [int](Get-Item -LiteralPath 'WSMan:\localhost\Shell\MaxShellsPerUser' -ErrorAction Stop).Value }

if (-not $spool) { $spool = [Environment]::GetEnvironmentVariable('IMMY_SPOOL') }
if (-not $spool) { $spool = [IO.Path]::Combine([Environment]::GetFolderPath('CommonApplicationData'), 'immy', 'spool') }
$found['spool'] = $spool
Add-Found 'spool_free_gb' {
    [Math]::Round((New-Object IO.DriveInfo ([IO.Path]::GetPathRoot($spool))).AvailableFreeSpace / 1GB, 1)
}
Add-Found 'open_jobs' {
    if (-not [IO.Directory]::Exists($spool)) { return 0 }
    # A spool that may not be looked into is no spool for this user.
    $open = 0
    foreach ($folder in [IO.Directory]::GetDirectories($spool)) {
        if (-not [IO.File]::Exists([IO.Path]::Combine($folder, 'result'))) { $open += 1 }
    }
    $open
}
$found['spool_can'] = $found['administrator'] -ne $false -and $null -ne $found['open_jobs']

Add-Found 'msi_in_progress' {
    $path = 'SOFTWARE\Microsoft\Windows\CurrentVersion\Installer\InProgress'
    $machine = [Microsoft.Win32.RegistryKey]::OpenBaseKey([Microsoft.Win32.RegistryHive]::LocalMachine, [Microsoft.Win32.RegistryView]::Registry64)
    $key = $machine.OpenSubKey($path)
    if ($key) { $value = [string]$key.GetValue(''); if ($value) { $value } else { 'InProgress' } } else { '' }
}
Add-Found 'msi_busy' {
    # There while an execute sequence is at work; asked for, and never taken.
    try { [Threading.Mutex]::OpenExisting('Global\_MSIExecute').Dispose(); $true }
    catch [Threading.WaitHandleCannotBeOpenedException] { $false }
    catch [UnauthorizedAccessException] { $true }
}
Add-Found 'servicing' { @([Diagnostics.Process]::GetProcessesByName('TiWorker')).Count -gt 0 }
$found
