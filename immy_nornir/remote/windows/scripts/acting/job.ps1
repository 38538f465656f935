# A job's own process, started by the task scheduler in its folder. Without -Role worker it watches: starts itself again as the
# worker, writes the worker's output to the file `output`, keeps the deadline and listens for `stop`, and writes `result`.
# The worker does the work and leaves `outcome`. Functions of the library stand before this text.

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$folder = $PSScriptRoot
$spec = Read-ImmyJsonFile ([IO.Path]::Combine($folder, 'spec.json'))
$job = $spec.job
$work = $job.work

# --- the work ------------------------------------------------------------------------------------------------------

function Read-ImmySecrets {
    $path = [IO.Path]::Combine($folder, 'secrets')
    $text = Read-ImmyFileText $path
    if (-not $text) { return [ordered]@{} }
    [IO.File]::Delete($path)
    Add-Type -AssemblyName System.Security -ErrorAction SilentlyContinue
    $bytes = [Security.Cryptography.ProtectedData]::Unprotect([Convert]::FromBase64String($text), $null, 'LocalMachine')
    return ConvertFrom-ImmyJson ([Text.Encoding]::UTF8.GetString($bytes))
}

# $params and $installer are seen by the script: it runs in a scope below this one.
function Invoke-ImmyJobScript($outcome, $params, $installer) {
    if ($work.language -and [string]$work.language -ne 'powershell') { throw "Windows runs no scripts in '$($work.language)'" }
    $script = Read-ImmyScript ([string]$work.script)
    $path = [IO.Path]::Combine($folder, 'script.ps1')
    [IO.File]::WriteAllText($path, $script.text, (New-Object Text.UTF8Encoding $true))
    $given = @{}
    foreach ($name in $script.names) { if ($params.Contains($name)) { $given[$name] = $params[$name] } }
    if ($installer -and $script.names -contains 'installer') { $given['installer'] = $installer }
    $global:ImmyExit = $null
    $last = @{ value = $null }
    $outcome.exit_code = 0
    try {
        $ErrorActionPreference = 'Continue'
        & $path @given | ForEach-Object { $last.value = $_; $_ } | Out-Host
    } catch {
        $outcome.exit_code = 1
        $outcome.error = Get-ImmyErrorText $_
    }
    $code = ConvertTo-ImmyExitCode $global:ImmyExit
    if ($null -ne $code) { $outcome.exit_code = $code }
    try { $outcome.value = ConvertFrom-ImmyJson (ConvertTo-ImmyJson $last.value) } catch { $outcome.value = $null }
}

function Receive-ImmyInstaller {
    if (-not $work.url) { return $null }
    $name = [string]$work.file_name
    if (-not $name) { $name = ([Uri]$work.url).Segments[-1] }
    $name = [IO.Path]::GetFileName([Uri]::UnescapeDataString($name)) -replace '[<>:"/\\|?*]', '_'
    if (-not $name -or $name -in '.', '..') { $name = 'installer' }
    $place = [IO.Path]::Combine($folder, 'download')
    [void][IO.Directory]::CreateDirectory($place)
    $path = [IO.Path]::Combine($place, $name)
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
    for ($try = 1; ; $try++) {
        try {
            # Not Invoke-WebRequest: in 5.1 it is slow and keeps the file in memory.
            $client = New-Object Net.WebClient
            $client.UseDefaultCredentials = $true
            $client.DownloadFile([Uri][string]$work.url, $path)
            break
        } catch {
            if ($try -ge 3 -or ([Uri]$work.url).IsFile) { throw "the download failed: $($_.Exception.GetBaseException().Message)" }
            Start-Sleep -Seconds 2
        }
    }
    if ($work.sha256 -and (Get-ImmyFileHash $path) -ne [string]$work.sha256) {
        $found = Get-ImmyFileHash $path
        [IO.File]::Delete($path)
        throw "the installer's sha256 is $found instead of $($work.sha256); it was not started"
    }
    return $path
}

# Starts a program with its arguments as they are, and waits; what it prints goes to our own streams.
function Start-ImmyProgram([string]$file, [string]$arguments) {
    $info = New-Object Diagnostics.ProcessStartInfo $file, $arguments
    $info.UseShellExecute = $false
    $info.WorkingDirectory = $folder
    $process = [Diagnostics.Process]::Start($info)
    $process.WaitForExit()
    return $process
}

# msiexec says why it failed in a log only: what stands above its first failed action goes to the output. A log that is asked for
# is the item's own business.
function Start-ImmyMsi([string]$arguments) {
    $log = [IO.Path]::Combine($folder, 'msi.log')
    $own = $arguments -match '(^|\s)[/-]l'
    if (-not $own) { $arguments += ' /l*v "{0}"' -f $log }
    $process = Start-ImmyProgram 'msiexec.exe' $arguments
    if ($own -or $process.ExitCode -in 0, 1641, 3010 -or -not [IO.File]::Exists($log)) { return $process }
    $above = New-Object Collections.Generic.Queue[string]
    foreach ($line in [IO.File]::ReadLines($log)) {
        $above.Enqueue($line)
        if ($line -match 'return value 3\b') { [Console]::Out.WriteLine($above -join [Environment]::NewLine); break }
        if ($above.Count -gt 50) { [void]$above.Dequeue() }
    }
    return $process
}

# '"C:\a b\u.exe" /S', 'C:\a b\u.exe /S' and 'MsiExec.exe /X{..}' -> program and arguments.
function Split-ImmyCommand([string]$command) {
    $command = [Environment]::ExpandEnvironmentVariables($command.Trim())
    if ($command -match '^"([^"]+)"\s*(.*)$') { return @($Matches[1], $Matches[2]) }
    $words = $command -split ' '
    for ($count = 1; $count -le $words.Count; $count++) {
        $file = ($words[0..($count - 1)]) -join ' '
        if (-not [IO.Path]::IsPathRooted($file)) { break }
        foreach ($candidate in $file, "$file.exe") {
            if ([IO.File]::Exists($candidate)) { return @($candidate, (@($words | Select-Object -Skip $count) -join ' ')) }
        }
    }
    return @($words[0], (@($words | Select-Object -Skip 1) -join ' '))
}

# Uninstallers like to start a copy of themselves and leave.
function Wait-ImmyDescendants([int]$id) {
    for ($try = 0; $try -lt 600 -and @(Get-ImmyDescendants $id).Count; $try++) { Start-Sleep -Seconds 1 }
}

function Invoke-ImmyInstaller($outcome, $params) {
    if ($work.uninstall -and -not $work.script) {
        $file, $arguments = Split-ImmyCommand ([string]$work.command)
        if ([IO.Path]::GetFileNameWithoutExtension($file) -eq 'msiexec') { $process = Start-ImmyMsi $arguments }
        else { $process = Start-ImmyProgram $file $arguments }
        $outcome.exit_code = $process.ExitCode
        Wait-ImmyDescendants $process.Id
        return
    }
    $installer = Receive-ImmyInstaller
    if ([string]$work.only -eq 'download') {
        [Console]::Out.WriteLine("$((New-Object IO.FileInfo $installer).Length) bytes")
        $outcome.exit_code = 0
        return
    }
    if ($work.script) { Invoke-ImmyJobScript $outcome $params $installer; return }
    if (-not $installer) { throw 'there is neither an installer to download nor a script' }
    $arguments = [string]$work.arguments
    switch ([string]$work.type) {
        'msi' { $process = Start-ImmyMsi ('/i "{0}" /qn /norestart {1}' -f $installer, $arguments).TrimEnd() }
        'script' {
            if ($installer -like '*.ps1') { $process = Start-ImmyProgram $shell ('-NoProfile -NonInteractive -ExecutionPolicy Bypass -File "{0}" {1}' -f $installer, $arguments) }
            elseif ($ImmyIsWindows) { $process = Start-ImmyProgram 'cmd.exe' ('/d /c ""{0}" {1}"' -f $installer, $arguments) }
            else { $process = Start-ImmyProgram '/bin/sh' ('"{0}" {1}' -f $installer, $arguments) }
        }
        default {
            if (-not $ImmyIsWindows) { & chmod +x $installer }
            $process = Start-ImmyProgram $installer $arguments
        }
    }
    $outcome.exit_code = $process.ExitCode
}

function Invoke-ImmyDeclare($outcome) {
    $changes = New-Object Collections.ArrayList
    $errors = New-Object Collections.ArrayList
    foreach ($resource in $work.resources) {
        # One that fails does not keep the others from being set.
        try { foreach ($change in @(Set-ImmyResource $resource)) { [void]$changes.Add($change) } }
        catch { [void]$errors.Add($_.Exception.Message) }
    }
    $outcome.value = $changes.ToArray()
    $outcome.error = $errors -join '; '
    $outcome.exit_code = [int][bool]$errors.Count
}

function Invoke-ImmyWork {
    $outcome = @{ exit_code = $null; error = ''; value = $null }
    try {
        $params = [ordered]@{}
        foreach ($part in $work.params, (Read-ImmySecrets)) {
            if ($part) { foreach ($name in @($part.Keys)) { $params[$name] = $part[$name] } }
        }
        switch ([string]$job.kind) {
            { $_ -in 'script', 'ask' } { Invoke-ImmyJobScript $outcome $params $null }
            'command' { Invoke-ImmyCommand $outcome }
            'installer' { Invoke-ImmyInstaller $outcome $params }
            'package' { $outcome.exit_code = Invoke-ImmyPackage ([string]$work.manager) ([string]$work.name) ([string]$work.action) ([string]$work.version) }
            'declare' { Invoke-ImmyDeclare $outcome }
            default { throw "there is no work of the kind '$($job.kind)'" }
        }
    } catch { $outcome.error = Get-ImmyErrorText $_ }
    if ($outcome.error) { [Console]::Error.WriteLine($outcome.error) }
    Write-ImmyText ([IO.Path]::Combine($folder, 'outcome')) (ConvertTo-ImmyJson $outcome)
}

# --- the watch -----------------------------------------------------------------------------------------------------

function Start-ImmyWorker {
    $info = New-Object Diagnostics.ProcessStartInfo $shell, ('-NoProfile -NonInteractive -ExecutionPolicy Bypass -File "{0}" -Role worker' -f $PSCommandPath)
    $info.UseShellExecute = $false
    $info.CreateNoWindow = $true
    $info.WorkingDirectory = $folder
    $info.RedirectStandardInput = $true
    $info.RedirectStandardOutput = $true
    $info.RedirectStandardError = $true
    $process = [Diagnostics.Process]::Start($info)
    $process.StandardInput.Close()
    return $process
}

# Moves what is there of both streams to the file, for at most a fifth of a second; false when both have ended.
function Copy-ImmyOutput($streams, $file) {
    $open = @($streams | Where-Object { $_.task })
    if (-not $open.Count) { return $false }
    [void][Threading.Tasks.Task]::WaitAny([Threading.Tasks.Task[]]@($open | ForEach-Object { $_.task }), 200)
    foreach ($stream in $open) {
        if (-not $stream.task.IsCompleted) { continue }
        $count = 0
        if (-not $stream.task.IsFaulted) { $count = $stream.task.Result }
        if ($count) {
            $file.Write($stream.buffer, 0, $count)
            $file.Flush()
            $stream.task = $stream.source.ReadAsync($stream.buffer, 0, $stream.buffer.Length)
        } else { $stream.task = $null }
    }
    return $true
}

# Watches the worker to its end; why it was ended from here, or nothing.
function Watch-ImmyWorker($process, $file, [double]$deadline) {
    $watch = [Diagnostics.Stopwatch]::StartNew()
    $stop = [IO.Path]::Combine($folder, 'stop')
    $streams = foreach ($source in $process.StandardOutput.BaseStream, $process.StandardError.BaseStream) {
        $buffer = New-Object byte[] 65536
        @{ source = $source; buffer = $buffer; task = $source.ReadAsync($buffer, 0, $buffer.Length) }
    }
    while (-not $process.HasExited) {
        if (-not (Copy-ImmyOutput $streams $file)) { [void]$process.WaitForExit(200) }
        $why = ''
        if ([IO.File]::Exists($stop)) { $why = 'stopped' }
        elseif ($watch.Elapsed.TotalSeconds -ge $deadline) { $why = 'deadline' }
        if ($why) { Stop-ImmyTree $process.Id; return $why }
    }
    # What it started may hold the streams for ever.
    $rest = [Diagnostics.Stopwatch]::StartNew()
    while ($rest.ElapsedMilliseconds -lt 2000 -and (Copy-ImmyOutput $streams $file)) { $null = $rest }
}

function Watch-ImmyJob {
    $watch = [Diagnostics.Stopwatch]::StartNew()
    $me = [ordered]@{ boot = Get-ImmyBoot $null; pid = $PID; process_started = Get-ImmyProcessStart $PID }
    # The one that makes this file is the one that works.
    if (-not (New-ImmyFile ([IO.Path]::Combine($folder, 'started')) (ConvertTo-ImmyJson $me))) { return }
    $outcome = $null
    $message = ''
    try {
        $file = New-Object IO.FileStream ([IO.Path]::Combine($folder, 'output')), ([IO.FileMode]::Append), ([IO.FileAccess]::Write), ([IO.FileShare]::ReadWrite -bor [IO.FileShare]::Delete)
        $process = Start-ImmyWorker
        $message = [string](Watch-ImmyWorker $process $file ([double]$job.deadline_seconds))
        $file.Dispose()
        if (-not $message) {
            $outcome = Read-ImmyJsonFile ([IO.Path]::Combine($folder, 'outcome'))
            # A script may end the whole process by itself.
            if (-not $outcome) { $outcome = @{ exit_code = $process.ExitCode; error = ''; value = $null } }
        }
    } catch { $message = $_.Exception.Message }
    if (-not $outcome) { $outcome = @{ exit_code = $null; error = $message; value = $null } }
    foreach ($name in 'secrets', 'script.ps1', 'outcome') { [IO.File]::Delete([IO.Path]::Combine($folder, $name)) }
    $place = [IO.Path]::Combine($folder, 'download')
    try { if ([IO.Directory]::Exists($place)) { [IO.Directory]::Delete($place, $true) } } catch { $null = $_ }
    Write-ImmyResult $folder $outcome.exit_code ([string]$outcome.error) $watch.Elapsed.TotalSeconds $outcome.value
}

$shell = [Diagnostics.Process]::GetCurrentProcess().MainModule.FileName
if ($Role -eq 'worker') {
    # Output is read as UTF-8; without a console there is no code page to set.
    try { [Console]::OutputEncoding = New-Object Text.UTF8Encoding $false } catch { $null = $_ }
    Invoke-ImmyWork
} else { Watch-ImmyJob }
exit 0
