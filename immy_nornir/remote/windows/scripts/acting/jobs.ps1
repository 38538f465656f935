# Jobs from the runner's side: start, wait, read, stop; and the reboot.

$ImmyOutputChunk = 262144
$ImmyStartGrace = 180
$ImmyTaskPath = '\immy\'

# Administrators and SYSTEM only, and no folder that somebody else prepared: everybody may create folders in ProgramData.
function Protect-ImmyFolder([string]$path) {
    if (-not $ImmyIsWindows) { return }
    if ((New-Object IO.DirectoryInfo $path).Attributes -band [IO.FileAttributes]::ReparsePoint) { throw "$path is a link; remove it" }
    $icacls = [IO.Path]::Combine([Environment]::SystemDirectory, 'icacls.exe')
    & $icacls $path /setowner '*S-1-5-32-544' /q 2>&1 | Out-Null
    & $icacls $path /inheritance:r /grant:r '*S-1-5-32-544:(OI)(CI)F' '*S-1-5-18:(OI)(CI)F' /q 2>&1 | Out-Null
    if ($LASTEXITCODE -ne 0) { throw "$path cannot be protected" }
}

function Initialize-ImmySpool {
    $spool = Get-ImmySpool
    if ([IO.Directory]::Exists($spool)) { return $spool }
    $isOurs = -not [Environment]::GetEnvironmentVariable('IMMY_SPOOL')
    if ($isOurs) {
        $parent = [IO.Path]::GetDirectoryName($spool)
        [void][IO.Directory]::CreateDirectory($parent)
        Protect-ImmyFolder $parent
    }
    [void][IO.Directory]::CreateDirectory($spool)
    Protect-ImmyFolder $spool
    return $spool
}

# Encrypted for this machine; the folder's rights keep other users away, and the job removes it at its first reading.
function Protect-ImmySecrets($secrets) {
    $bytes = [Text.Encoding]::UTF8.GetBytes((ConvertTo-ImmyJson $secrets))
    try {
        Add-Type -AssemblyName System.Security -ErrorAction SilentlyContinue
        return [Convert]::ToBase64String([Security.Cryptography.ProtectedData]::Protect($bytes, $null, 'LocalMachine'))
    } catch { throw 'this computer has no data protection (DPAPI), so the job''s secrets would lie on its disk in clear' }
}

# Filled aside and renamed: the folder appears whole, and only for one of two that try.
function New-ImmyJobFolder($parameters) {
    $job = $parameters.job
    $folder = Get-ImmyJobFolder $job.job_id
    if ([IO.Directory]::Exists($folder)) { return $false }
    $aside = [IO.Path]::Combine((Initialize-ImmySpool), '.' + [guid]::NewGuid().ToString('N'))
    [void][IO.Directory]::CreateDirectory($aside)
    try {
        $spec = [ordered]@{ job = $job; created = Get-ImmyTime; boot = Get-ImmyBoot $null }
        if ($parameters.secrets -and $parameters.secrets.Count) {
            Write-ImmyText ([IO.Path]::Combine($aside, 'secrets')) (Protect-ImmySecrets $parameters.secrets)
        }
        Write-ImmyText ([IO.Path]::Combine($aside, 'spec.json')) (ConvertTo-ImmyJson $spec)
        [IO.File]::WriteAllText([IO.Path]::Combine($aside, 'job.ps1'), [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($ImmyJobText)), (New-Object Text.UTF8Encoding $true))
        for ($try = 1; ; $try++) {
            try { [IO.Directory]::Move($aside, $folder); return $true }
            catch {
                if ([IO.Directory]::Exists($folder)) { return $false }
                # Security software holds new files for a moment.
                if ($try -ge 10) { throw }
                Start-Sleep -Milliseconds 200
            }
        }
    } finally { if ([IO.Directory]::Exists($aside)) { [IO.Directory]::Delete($aside, $true) } }
}

function Get-ImmyTaskUser([string]$context) {
    if ($context -eq 'system' -or -not $context) { return $null }
    if ($context -notmatch '^user:(.+)$') { throw "a job runs as system or as user:NAME, not as '$context'" }
    return $Matches[1]
}

function Test-ImmyHeadless { return [int](Get-ImmyRegistryText $ImmyCurrentVersion 'CurrentBuildNumber') -ge 17763 }

function Register-ImmyTaskByFile([string]$name, [string]$folder, [string]$command, [string]$arguments, $user) {
    $escape = { param($text) [Security.SecurityElement]::Escape($text) }
    $principal = '<UserId>S-1-5-18</UserId><RunLevel>HighestAvailable</RunLevel>'
    if ($user) { $principal = "<UserId>$(& $escape $user)</UserId><LogonType>InteractiveToken</LogonType><RunLevel>LeastPrivilege</RunLevel>" }
    $xml = '<?xml version="1.0" encoding="UTF-16"?><Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">' +
        "<Principals><Principal id=`"Author`">$principal</Principal></Principals><Settings><MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>" +
        '<DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries><StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>' +
        '<ExecutionTimeLimit>PT0S</ExecutionTimeLimit><Hidden>true</Hidden><Priority>4</Priority></Settings>' +
        "<Actions Context=`"Author`"><Exec><Command>$command</Command><Arguments>$(& $escape $arguments)</Arguments></Exec></Actions></Task>"
    $file = [IO.Path]::Combine($folder, 'task.xml')
    [IO.File]::WriteAllText($file, $xml, [Text.Encoding]::Unicode)
    $program = Get-Command -Name schtasks.exe, schtasks -ErrorAction SilentlyContinue | Select-Object -First 1
    if (-not $program) { throw 'this computer has no task scheduler to start a job with' }
    $said = & $program /create /tn ($ImmyTaskPath.TrimStart('\') + $name) /xml $file /f 2>&1
    if ($LASTEXITCODE -ne 0) { throw "the task cannot be created: $said" }
    $said = & $program /run /tn ($ImmyTaskPath.TrimStart('\') + $name) 2>&1
    if ($LASTEXITCODE -ne 0) { throw "the task cannot be started: $said" }
}

function Start-ImmyTask([string]$id, [string]$folder, $job) {
    $name = Get-ImmyJobName $id
    $user = Get-ImmyTaskUser ([string]$job.context)
    if ($user -and $ImmyIsWindows) {
        $icacls = [IO.Path]::Combine([Environment]::SystemDirectory, 'icacls.exe')
        & $icacls $folder /grant "${user}:(OI)(CI)M" /q 2>&1 | Out-Null
        if ($LASTEXITCODE -ne 0) { throw "there is no user '$user' on this computer" }
    }
    $arguments = '-NoProfile -NonInteractive -ExecutionPolicy Bypass -File "{0}"' -f [IO.Path]::Combine($folder, 'job.ps1')
    $program = 'powershell.exe'
    # On the desktop of a user a console window would show, and closing it would end the job. Windows Terminal shows one that is
    # hidden, too; a conhost without a head shows none (microsoft/terminal#249, PowerShell#3028), from Windows 10 1809 on.
    if ($user -and (Test-ImmyHeadless)) { $program, $arguments = 'conhost.exe', "--headless powershell.exe $arguments" }
    elseif ($user) { $arguments = "-WindowStyle Hidden $arguments" }
    if (-not (Get-Command -Name Register-ScheduledTask -ErrorAction SilentlyContinue)) {
        Register-ImmyTaskByFile $name $folder $program $arguments $user
        return
    }
    $action = New-ScheduledTaskAction -Execute $program -Argument $arguments
    if ($user) { $principal = New-ScheduledTaskPrincipal -UserId $user -LogonType Interactive -RunLevel Limited }
    else { $principal = New-ScheduledTaskPrincipal -UserId 'S-1-5-18' -LogonType ServiceAccount -RunLevel Highest }
    # Priority 4 is normal: by default a task works and reads its disk slowly.
    $settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -MultipleInstances IgnoreNew -ExecutionTimeLimit ([TimeSpan]::Zero) -Priority 4 -Hidden
    [void](Register-ScheduledTask -TaskPath $ImmyTaskPath -TaskName $name -Action $action -Principal $principal -Settings $settings -Force -ErrorAction Stop)
    Start-ScheduledTask -TaskPath $ImmyTaskPath -TaskName $name -ErrorAction Stop
}

function Remove-ImmyTask([string]$name) {
    if (Get-Command -Name Unregister-ScheduledTask -ErrorAction SilentlyContinue) {
        Unregister-ScheduledTask -TaskPath $ImmyTaskPath -TaskName $name -Confirm:$false -ErrorAction SilentlyContinue
    } else {
        $program = Get-Command -Name schtasks.exe, schtasks -ErrorAction SilentlyContinue | Select-Object -First 1
        if ($program) { & $program /delete /tn ($ImmyTaskPath.TrimStart('\') + $name) /f 2>&1 | Out-Null }
    }
}

# Folders of jobs that nobody asked for during two weeks after their end.
function Clear-ImmySpool {
    foreach ($result in [IO.Directory]::GetFiles((Get-ImmySpool), 'result', 'AllDirectories')) {
        if ([DateTime]::UtcNow - [IO.File]::GetLastWriteTimeUtc($result) -lt [TimeSpan]::FromDays(14)) { continue }
        $old = [IO.Path]::GetDirectoryName($result)
        try { Remove-ImmyTask ([IO.Path]::GetFileName($old)); [IO.Directory]::Delete($old, $true) } catch { $null = $_ }
    }
}

# The name of another job of this item that is still at work, left by a session that has ended: two never run side by side.
function Find-ImmyRival([string]$id, $item) {
    $spool = Get-ImmySpool
    if (-not $item -or -not [IO.Directory]::Exists($spool) -or [IO.Directory]::Exists((Get-ImmyJobFolder $id))) { return $null }
    foreach ($folder in [IO.Directory]::GetDirectories($spool)) {
        $name = [IO.Path]::GetFileName($folder)
        if ($name.StartsWith('.') -or [IO.File]::Exists([IO.Path]::Combine($folder, 'result'))) { continue }
        $spec = Read-ImmyJsonFile ([IO.Path]::Combine($folder, 'spec.json'))
        if (-not $spec -or $spec.job.item -ne $item) { continue }
        $started = Read-ImmyJsonFile ([IO.Path]::Combine($folder, 'started'))
        if (-not $started) { if ((Get-ImmyTime) - [double]$spec.created -le $ImmyStartGrace) { return $name } }
        elseif (-not $started.abandoned -and -not (Test-ImmyJobGone $started)) { return $name }
    }
    return $null
}

function Start-ImmyJob($parameters) {
    $id = [string]$parameters.job.job_id
    [void](Get-ImmyTaskUser ([string]$parameters.job.context))
    $isKnown = [IO.Directory]::Exists((Get-ImmyJobFolder $id))
    if ((Enter-ImmyLease $parameters.lease $parameters.detected_seconds) -and -not $isKnown) {
        return [ordered]@{ state = 'look_again'; output = ''; next_offset = 0; result = $null; created = $false }
    }
    $rival = Find-ImmyRival $id $parameters.job.item
    if ($rival) {
        $said = [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($rival))
        return [ordered]@{ state = 'busy'; output = $said; next_offset = 0; result = $null; created = $false }
    }
    $created = New-ImmyJobFolder $parameters
    if ($created) {
        $folder = Get-ImmyJobFolder $id
        try { Start-ImmyTask $id $folder $parameters.job }
        catch {
            # Nobody may start it later, and who asks learns why.
            $why = "the job could not be started: $($_.Exception.Message)"
            try {
                if (New-ImmyFile ([IO.Path]::Combine($folder, 'started')) '{"abandoned":true}') { Write-ImmyResult $folder $null $why 0 $null }
                [IO.File]::Delete([IO.Path]::Combine($folder, 'secrets'))
            } catch { $null = $_ }
        }
        try { Clear-ImmySpool } catch { $null = $_ }
    }
    # The job may be at work: an error from here on would say that it is not.
    try { $answer = Wait-ImmyJob $id 0 ([double]$parameters.wait_seconds) }
    catch { $answer = [ordered]@{ state = 'starting'; output = ''; next_offset = 0; size = 0; result = $null; created = $false } }
    $answer.created = $created
    return $answer
}

# True where the job's process is gone: another boot, no such process, or one that began at another time. A boot that is known by its time
# alone seems another one when the clock is set: then the process itself is the better witness.
function Test-ImmyJobGone($started) {
    $boot = Get-ImmyBoot $null
    $isCounted = $null -ne $started.boot.id -and $null -ne $boot.id
    if (($isCounted -or $null -eq $started.process_started) -and (Test-ImmyBootChanged $started.boot $boot)) { return $true }
    $began = Get-ImmyProcessStart ([int]$started.pid)
    if ($null -eq $began) { return $true }
    return $null -ne $started.process_started -and [Math]::Abs($began - [double]$started.process_started) -gt 2
}

# Claims a job that never began, so that it cannot begin any more.
function Test-ImmyNeverBegan([string]$folder) {
    $spec = Read-ImmyJsonFile ([IO.Path]::Combine($folder, 'spec.json'))
    if (-not $spec) { return $false }
    $isLate = (Get-ImmyTime) - [double]$spec.created -gt $ImmyStartGrace
    if (-not $isLate -and -not (Test-ImmyBootChanged $spec.boot (Get-ImmyBoot $null))) { return $false }
    return New-ImmyFile ([IO.Path]::Combine($folder, 'started')) '{"abandoned":true}'
}

function Get-ImmyJobState([string]$folder) {
    if (-not [IO.Directory]::Exists($folder)) { return 'absent' }
    $result = [IO.Path]::Combine($folder, 'result')
    if ([IO.File]::Exists($result)) { return 'finished' }
    $path = [IO.Path]::Combine($folder, 'started')
    if (-not [IO.File]::Exists($path)) {
        if (Test-ImmyNeverBegan $folder) { return 'lost' }
        return 'starting'
    }
    $started = Read-ImmyJsonFile $path
    if (-not $started) { return 'starting' }
    if (-not $started.abandoned) {
        if (-not (Test-ImmyJobGone $started)) { return 'running' }
        # Its last word may just be on the way to the disk.
        for ($try = 0; $try -lt 10 -and -not [IO.File]::Exists($result); $try++) { Start-Sleep -Milliseconds 100 }
    }
    if ([IO.File]::Exists($result)) { return 'finished' }
    return 'lost'
}

function Read-ImmyJobOutput([string]$folder, [long]$from) {
    $answer = [ordered]@{ output = ''; next_offset = $from; size = 0 }
    $path = [IO.Path]::Combine($folder, 'output')
    if (-not [IO.File]::Exists($path)) { return $answer }
    $share = [IO.FileShare]::ReadWrite -bor [IO.FileShare]::Delete
    $stream = New-Object IO.FileStream $path, ([IO.FileMode]::Open), ([IO.FileAccess]::Read), $share
    try {
        $answer.size = $stream.Length
        $size = [int][Math]::Min($ImmyOutputChunk, [Math]::Max(0, $stream.Length - $from))
        if ($size) {
            [void]$stream.Seek($from, [IO.SeekOrigin]::Begin)
            $bytes = New-Object byte[] $size
            $read = $stream.Read($bytes, 0, $size)
            $answer.output = [Convert]::ToBase64String($bytes, 0, $read)
            $answer.next_offset = $from + $read
        }
    } finally { $stream.Dispose() }
    return $answer
}

function Wait-ImmyJob([string]$id, [long]$from, [double]$seconds) {
    $folder = Get-ImmyJobFolder $id
    $watch = [Diagnostics.Stopwatch]::StartNew()
    $seconds = [Math]::Min($seconds, 20)
    while ($true) {
        $state = Get-ImmyJobState $folder
        if ($state -in 'finished', 'lost', 'absent' -or $watch.Elapsed.TotalSeconds -ge $seconds) { break }
        Start-Sleep -Milliseconds 200
    }
    $output = Read-ImmyJobOutput $folder $from
    $result = $null
    if ($state -eq 'finished') { $result = Read-ImmyJsonFile ([IO.Path]::Combine($folder, 'result')) }
    return [ordered]@{ state = $state; output = $output.output; next_offset = $output.next_offset; size = $output.size; result = $result; created = $false }
}

function Stop-ImmyJob([string]$id) {
    $folder = Get-ImmyJobFolder $id
    $state = Get-ImmyJobState $folder
    if ($state -notin 'starting', 'running') { return [ordered]@{ stopped = $true } }
    Write-ImmyText ([IO.Path]::Combine($folder, 'stop')) ''
    if ($state -eq 'starting' -and (New-ImmyFile ([IO.Path]::Combine($folder, 'started')) '{"abandoned":true}')) {
        Write-ImmyResult $folder $null 'stopped' 0 $null
        return [ordered]@{ stopped = $true }
    }
    # The job ends its own tree; where it cannot, its tree is ended from here.
    for ($try = 0; $try -lt 50 -and (Get-ImmyJobState $folder) -in 'starting', 'running'; $try++) { Start-Sleep -Milliseconds 200 }
    if ((Get-ImmyJobState $folder) -in 'starting', 'running') {
        $started = Read-ImmyJsonFile ([IO.Path]::Combine($folder, 'started'))
        Stop-ImmyTree ([int]$started.pid)
        Write-ImmyResult $folder $null 'stopped' 0 $null
    }
    return [ordered]@{ stopped = $true }
}

function Restart-ImmyComputer($parameters) {
    $now = Get-ImmyBoot (Get-ImmyCim @('Win32_OperatingSystem'))
    if (Test-ImmyBootChanged $now $parameters.boot) { throw 'the computer has been rebooted since' }
    $program = Get-Command -Name shutdown.exe, shutdown -ErrorAction SilentlyContinue | Select-Object -First 1
    if (-not $program) { throw 'this computer has no shutdown command' }
    if ($parameters.lease) {
        [void](Enter-ImmyLease $parameters.lease $null)
        $working = Find-ImmyWorkingJob ''
        if ($working) { throw "the job $working is at work there" }
    }
    # Planned, application maintenance.
    $said = & $program /r /t ([int]$parameters.delay_seconds) /d p:4:1 /c ([string]$parameters.reason) 2>&1
    # 1190: a shutdown is already scheduled.
    if ($LASTEXITCODE -notin 0, 1190) { throw "shutdown refused with exit code ${LASTEXITCODE}: $said" }
    return [ordered]@{ asked = $true }
}
