# The spool: one folder for each job, read and written by the runner and by the job itself.

$ImmyIsWindows = [Environment]::OSVersion.Platform -eq [PlatformID]::Win32NT

function Get-ImmySpool {
    $spool = [Environment]::GetEnvironmentVariable('IMMY_SPOOL')
    if ($spool) { return $spool }
    return [IO.Path]::Combine([Environment]::GetFolderPath('CommonApplicationData'), 'immy', 'spool')
}

function Get-ImmyJobName([string]$id) {
    $name = $id.Replace('/', '-')
    if ($name -notmatch '^[A-Za-z0-9_][A-Za-z0-9_.@=+-]{0,150}$' -or $name.Contains('..')) { throw "'$id' is no job id" }
    return $name
}

function Get-ImmyJobFolder([string]$id) {
    return [IO.Path]::Combine((Get-ImmySpool), (Get-ImmyJobName $id))
}

# Written by another process at this moment or removed under our hands: null.
function Read-ImmyFileText([string]$path) {
    $share = [IO.FileShare]::ReadWrite -bor [IO.FileShare]::Delete
    try {
        $stream = New-Object IO.FileStream $path, ([IO.FileMode]::Open), ([IO.FileAccess]::Read), $share
        try { return (New-Object IO.StreamReader $stream, ([Text.Encoding]::UTF8)).ReadToEnd() } finally { $stream.Dispose() }
    } catch { return $null }
}

function Read-ImmyJsonFile([string]$path) {
    $text = Read-ImmyFileText $path
    if (-not $text) { return $null }
    try { return ConvertFrom-ImmyJson $text } catch { return $null }
}

function Write-ImmyText([string]$path, [string]$text) {
    [IO.File]::WriteAllText($path, $text, (New-Object Text.UTF8Encoding $false))
}

# True for the one caller that makes the file; its text is never seen half written by those who wait for the line's end.
function New-ImmyFile([string]$path, [string]$text) {
    try { $stream = New-Object IO.FileStream $path, ([IO.FileMode]::CreateNew), ([IO.FileAccess]::Write), ([IO.FileShare]::Read) }
    catch [IO.IOException] { return $false }
    $bytes = [Text.Encoding]::UTF8.GetBytes($text)
    $stream.Write($bytes, 0, $bytes.Length)
    $stream.Dispose()
    return $true
}

# A job's last word: written aside and renamed, so that it is there whole or not at all.
function Write-ImmyResult([string]$folder, $code, [string]$message, [double]$seconds, $value) {
    $text = ConvertTo-ImmyJson ([ordered]@{ exit_code = $code; error = $message; seconds = [Math]::Round($seconds, 3); value = $value })
    $aside = [IO.Path]::Combine($folder, "result.$PID")
    Write-ImmyText $aside $text
    try { [IO.File]::Move($aside, [IO.Path]::Combine($folder, 'result')) }
    catch [IO.IOException] { [IO.File]::Delete($aside) }
}

# The whole tree below and with a process.
function Stop-ImmyTree([int]$id) {
    if ($ImmyIsWindows) {
        $killer = [IO.Path]::Combine([Environment]::SystemDirectory, 'taskkill.exe')
        if ([IO.File]::Exists($killer)) { & $killer /T /F /PID $id 2>&1 | Out-Null }
    }
    foreach ($one in @($id) + @(Get-ImmyDescendants $id)) {
        try { [Diagnostics.Process]::GetProcessById($one).Kill() } catch { $null = $_ }
    }
}

function Get-ImmyProcessStart([int]$id) {
    try { return Get-ImmyEpoch ([Diagnostics.Process]::GetProcessById($id).StartTime) } catch { return $null }
}
