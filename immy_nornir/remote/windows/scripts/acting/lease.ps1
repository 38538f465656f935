# The lease: which session may act on this computer, from whatever machine, history or account it comes. One file beside the jobs' folders,
# by this computer's clock; it outlives reboots.

function Open-ImmyLease {
    $path = [IO.Path]::Combine((Initialize-ImmySpool), '.lease')
    for ($try = 1; ; $try++) {
        try { return New-Object IO.FileStream $path, ([IO.FileMode]::OpenOrCreate), ([IO.FileAccess]::ReadWrite), ([IO.FileShare]::None) }
        catch [IO.IOException] { if ($try -ge 50) { throw }; Start-Sleep -Milliseconds 100 }
    }
}

function Read-ImmyLease($stream) {
    $bytes = New-Object byte[] ([int]$stream.Length)
    [void]$stream.Read($bytes, 0, $bytes.Length)
    try { return ConvertFrom-ImmyJson ([Text.Encoding]::UTF8.GetString($bytes)) } catch { return $null }
}

function Write-ImmyLease($stream, $lease, [double]$until, [bool]$isReleased) {
    $text = ConvertTo-ImmyJson ([ordered]@{
            history = [string]$lease.history; session = [string]$lease.session; epoch = [int]$lease.epoch; holder = [string]$lease.holder
            until = $until; touched = Get-ImmyTime; released = $isReleased
        })
    $bytes = [Text.Encoding]::UTF8.GetBytes($text)
    $stream.SetLength(0)
    $stream.Write($bytes, 0, $bytes.Length)
    $stream.Flush()
}

function Test-ImmyOwnLease($old, $lease) {
    return $old -and $old.history -eq $lease.history -and $old.session -eq $lease.session
}

# The name of a job that is at work: of one session, or of any.
function Find-ImmyWorkingJob([string]$session) {
    foreach ($folder in [IO.Directory]::GetDirectories((Get-ImmySpool))) {
        $name = [IO.Path]::GetFileName($folder)
        if ($name.StartsWith('.') -or ($session -and -not $name.StartsWith("$session-"))) { continue }
        if ((Get-ImmyJobState $folder) -in 'starting', 'running') { return $name }
    }
    return $null
}

# Takes or renews the lease. True where another session had it since the item was looked at, $detected seconds ago.
function Enter-ImmyLease($lease, $detected) {
    if (-not $lease) { return $false }
    $stream = Open-ImmyLease
    try {
        $old = Read-ImmyLease $stream
        $isOwn = Test-ImmyOwnLease $old $lease
        $now = Get-ImmyTime
        if ($isOwn -and $old.epoch -gt $lease.epoch) { throw "lease lost: session $($old.session) was taken up by $($old.holder)" }
        $isHeld = $false
        if ($old -and -not $isOwn -and -not $old.released) {
            $working = Find-ImmyWorkingJob ([string]$old.session)
            $isHeld = $working -or -not ($lease.ended -and $old.history -eq $lease.history -and $old.session -eq $lease.ended)
            if ($isHeld -and ($working -or $now -lt $old.until)) {
                throw "lease busy: $($old.holder), until $([Math]::Max([long]$old.until, [long]$now))"
            }
        }
        $isSince = $old -and -not $isOwn -and $null -ne $detected -and $old.touched + 5 -ge $now - [double]$detected
        Write-ImmyLease $stream $lease ($now + [double]$lease.seconds) $false
        return $null -ne $detected -and ($isHeld -or $isSince)
    } finally { $stream.Dispose() }
}

# Longer, where it is still ours: who only waits takes nothing from others.
function Update-ImmyLease($lease) {
    if (-not $lease) { return }
    $stream = Open-ImmyLease
    try {
        $old = Read-ImmyLease $stream
        if ((Test-ImmyOwnLease $old $lease) -and $old.epoch -le $lease.epoch) { Write-ImmyLease $stream $lease ((Get-ImmyTime) + [double]$lease.seconds) $false }
    } finally { $stream.Dispose() }
}

function Exit-ImmyLease($lease) {
    $stream = Open-ImmyLease
    try {
        if (Test-ImmyOwnLease (Read-ImmyLease $stream) $lease) { Write-ImmyLease $stream $lease (Get-ImmyTime) $true }
    } finally { $stream.Dispose() }
    return [ordered]@{ released = $true }
}
