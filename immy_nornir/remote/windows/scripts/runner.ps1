# Executes the operations of one request, each apart from the others, and answers one frame each. It gets the payload's
# lines as its first argument: nonce, runner, operations. $ImmyLibrary (the functions of the other files) and, where
# a job is to be started, $ImmyJobText stand before this text. docs/wire.md is the contract.

. $ImmyLibrary
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$nonce = $args[0][0]
$stdout = [Console]::OpenStandardOutput()
$pending = New-Object Text.StringBuilder
$flushed = [Diagnostics.Stopwatch]::StartNew()
$sha = New-Object Security.Cryptography.SHA256CryptoServiceProvider
$state = [initialsessionstate]::CreateDefault2()
$session = @{ helper = $null; answered = 0 }
$console = @([Console]::Out, [Console]::Error, [Console]::In)
$encodings = @([Console]::OutputEncoding, [Console]::InputEncoding)
$folder = [Environment]::CurrentDirectory
$environment = [Environment]::GetEnvironmentVariables()
$protocols = [Net.ServicePointManager]::SecurityProtocol

function Send-ImmyPending {
    if ($pending.Length) {
        $bytes = [Text.Encoding]::ASCII.GetBytes($pending.ToString())
        $stdout.Write($bytes, 0, $bytes.Length)
        $stdout.Flush()
        [void]$pending.Remove(0, $pending.Length)
    }
    $flushed.Reset()
    $flushed.Start()
}

function Add-ImmyFrame([string]$json) {
    $bytes = [Text.Encoding]::UTF8.GetBytes($json)
    $hash = [BitConverter]::ToString($sha.ComputeHash($bytes)).Replace('-', '').ToLowerInvariant()
    $packed = New-Object IO.MemoryStream
    $zip = New-Object IO.Compression.GZipStream($packed, [IO.Compression.CompressionMode]::Compress)
    $zip.Write($bytes, 0, $bytes.Length)
    $zip.Dispose()
    $text = [Convert]::ToBase64String($packed.ToArray())
    [void]$pending.Append("#IMMY $nonce $($text.Length) $hash $text`n")
    if ($flushed.ElapsedMilliseconds -ge 1000) { Send-ImmyPending }
}

function Limit-ImmyText([string]$text, [int]$length = 65536) {
    if ($text.Length -le $length) { return $text }
    return $text.Substring(0, $length) + "`n... cut off"
}

function Add-ImmyAnswer($answer) {
    $json = $answer.json
    if ($null -eq $json) {
        try { $json = ConvertTo-ImmyJson $answer.result }
        catch { $json = 'null'; $answer.status = 'failed'; $answer.error = $_.Exception.Message }
    }
    $head = [ordered]@{
        id = $answer.id; status = $answer.status; error = (Limit-ImmyText $answer.error 8192)
        warnings = @($answer.warnings | Select-Object -First 50 | ForEach-Object { Limit-ImmyText $_ 2048 })
        output = (Limit-ImmyText $answer.output); exit_code = $answer.exit_code
        seconds = [Math]::Round($answer.watch.Elapsed.TotalSeconds, 3)
    }
    $text = ConvertTo-ImmyJson $head
    Add-ImmyFrame ($text.Substring(0, $text.Length - 1) + ',"result":' + $json + '}')
    $session.answered++
}

# What a script may have changed for the whole process is put back for the next one.
function Restore-ImmyProcess {
    [Console]::SetOut($console[0])
    [Console]::SetError($console[1])
    [Console]::SetIn($console[2])
    try {
        if ([Console]::OutputEncoding.CodePage -ne $encodings[0].CodePage) { [Console]::OutputEncoding = $encodings[0] }
        if ([Console]::InputEncoding.CodePage -ne $encodings[1].CodePage) { [Console]::InputEncoding = $encodings[1] }
    } catch { $null = $_ }
    [Environment]::CurrentDirectory = $folder
    [Net.ServicePointManager]::SecurityProtocol = $protocols
    $now = [Environment]::GetEnvironmentVariables()
    foreach ($name in @($now.Keys)) {
        if (-not $environment.ContainsKey($name)) { [Environment]::SetEnvironmentVariable($name, [NullString]::Value) }
    }
    foreach ($name in $environment.Keys) {
        if ($now[$name] -cne $environment[$name]) { [Environment]::SetEnvironmentVariable($name, $environment[$name]) }
    }
}

function Stop-ImmyProcesses($ids, [DateTime]$since) {
    foreach ($id in @($ids)) {
        # No descendant arrives here as one null, and process 0 is our whole group.
        if (-not $id) { continue }
        try {
            $process = [Diagnostics.Process]::GetProcessById($id)
            # Older ones belong to earlier operations; the clocks of processes are coarse.
            if ($process.StartTime -ge $since.AddSeconds(-1)) { $process.Kill() }
        } catch { $null = $_ }
    }
}

# True when the invocation ended within the time; while waiting, finished answers go out at least once a second.
function Wait-ImmyInvocation($running, [double]$seconds) {
    $watch = [Diagnostics.Stopwatch]::StartNew()
    while ($true) {
        $left = $seconds - $watch.Elapsed.TotalSeconds
        if ($running.AsyncWaitHandle.WaitOne([int][Math]::Max(0, [Math]::Min(500, $left * 1000)))) { return $true }
        if ($left -le 0) { return $false }
        if ($flushed.ElapsedMilliseconds -ge 1000) { Send-ImmyPending }
    }
}

# The ladder of a time-out: Stop does not end a blocked .NET call nor a child process. False: it still runs.
function Stop-ImmyInvocation($shell, $running, [DateTime]$since) {
    # Before Stop, which ends the nearest child and leaves the grandchildren without a parent to be found by.
    $below = @(Get-ImmyDescendants $PID)
    [void]$shell.BeginStop($null, $null)
    $isEnded = Wait-ImmyInvocation $running 2
    Stop-ImmyProcesses $below $since
    if ($isEnded) { return $true }
    Stop-ImmyProcesses (Get-ImmyDescendants $PID) $since
    return Wait-ImmyInvocation $running 2
}

# Runs what the shell holds; fills the answer; false when the shell could not be ended.
function Invoke-ImmyShell($shell, $answer, [double]$seconds, $output) {
    $since = [DateTime]::Now
    $nothing = New-Object 'Management.Automation.PSDataCollection[psobject]'
    $nothing.Complete()
    $running = $shell.BeginInvoke($nothing, $output)
    if (-not (Wait-ImmyInvocation $running $seconds)) {
        $answer.status = 'timed_out'
        $answer.error = "ended after $seconds seconds"
        if (-not (Stop-ImmyInvocation $shell $running $since)) { return $false }
    }
    try { $shell.EndInvoke($running) }
    catch {
        if ($answer.status -eq 'ok') {
            $answer.status = 'failed'
            $reason = $_.Exception
            if ($shell.InvocationStateInfo.Reason) { $reason = $shell.InvocationStateInfo.Reason }
            if ($reason.PSObject.Properties['ErrorRecord'] -and $reason.ErrorRecord) { $answer.error = Get-ImmyErrorText $reason.ErrorRecord }
            else { $answer.error = $reason.Message }
        }
    }
    return $true
}

function New-ImmyAnswer($operation) {
    return @{
        id = $operation.id; status = 'ok'; result = $null; error = ''; warnings = @(); output = ''; exit_code = $null; json = $null
        watch = [Diagnostics.Stopwatch]::StartNew()
    }
}

function Open-ImmyRunspace {
    $runspace = [runspacefactory]::CreateRunspace($state)
    $runspace.Open()
    return $runspace
}

# Our own operations share one runspace that holds the library.
function Get-ImmyHelper {
    if ($session.helper) { return $session.helper }
    $session.helper = Open-ImmyRunspace
    $shell = [powershell]::Create()
    $shell.Runspace = $session.helper
    [void]$shell.AddScript('param($library, $job) . $library; $ImmyJobText = $job').AddArgument($ImmyLibrary.Ast.GetScriptBlock()).AddArgument($ImmyJobText)
    [void]$shell.Invoke()
    $shell.Dispose()
    return $session.helper
}

function Invoke-ImmyBuiltIn($operation, $answer) {
    $shell = [powershell]::Create()
    $shell.Runspace = Get-ImmyHelper
    [void]$shell.AddCommand('Invoke-ImmyOperation').AddParameter('name', $operation.op).AddParameter('parameters', $operation.params)
    $output = New-Object 'Management.Automation.PSDataCollection[psobject]'
    $ended = Invoke-ImmyShell $shell $answer $operation.timeout $output
    if ($ended -and $output.Count) { $answer.result = $output[$output.Count - 1].value }
    # A stopped pipeline may have left the library half way through something.
    if ($answer.status -eq 'timed_out') { $session.helper = $null } else { $shell.Dispose() }
    return $ended
}

# ReadAll, since an enumeration of a stream waits for its end.
function Get-ImmyStreams($shell, [string]$printed) {
    $texts = New-Object Collections.ArrayList
    if ($printed) { [void]$texts.Add($printed.TrimEnd("`r", "`n")) }
    foreach ($record in $shell.Streams.Information.ReadAll()) { [void]$texts.Add([string]$record.MessageData) }
    foreach ($record in $shell.Streams.Verbose.ReadAll()) { [void]$texts.Add([string]$record.Message) }
    foreach ($record in $shell.Streams.Debug.ReadAll()) { [void]$texts.Add([string]$record.Message) }
    return , $texts
}

function Set-ImmyScriptResult($answer, $values, [string]$purpose, $runspace) {
    $answer.exit_code = ConvertTo-ImmyExitCode $runspace.SessionStateProxy.GetVariable('ImmyExit')
    if ($values.Count) { $answer.result = $values[$values.Count - 1] }
    # A versions script may write its releases one by one.
    if ($purpose -eq 'versions' -and $values.Count -gt 1) { $answer.result = $values }
    if ($answer.status -ne 'ok' -or $null -eq $answer.exit_code) { return }
    if ($purpose -eq 'test' -and -not $values.Count -and $answer.exit_code -in 0, 1) {
        $answer.result = $answer.exit_code -eq 0
    } elseif ($answer.exit_code -ne 0) {
        $answer.status = 'failed'
        $answer.error = "the script ended with exit code $($answer.exit_code)"
    }
}

# Properties of a script's objects may be scripts, too, and block: they are read apart from this thread, with a time-out.
# False when it could not be ended.
function Set-ImmyJson($answer, [double]$seconds) {
    $result = $answer.result
    if ($null -eq $result -or $result -is [string] -or $result -is [ValueType]) { return $true }
    $shell = [powershell]::Create()
    $shell.Runspace = Get-ImmyHelper
    [void]$shell.AddScript('param($value) try { @{ json = (ConvertTo-ImmyJson $value) } } catch { @{ error = $_.Exception.Message } }').AddArgument($result)
    $told = New-Object 'Management.Automation.PSDataCollection[psobject]'
    $answer.json = 'null'
    $ended = Invoke-ImmyShell $shell $answer $seconds $told
    $text = $null
    if ($ended -and $told.Count) { $text = $told[$told.Count - 1] }
    if ($null -ne $text -and $text['json']) { $answer.json = $text['json'] }
    elseif ($null -ne $text -and $text['error']) { $answer.status = 'failed'; $answer.error = $text['error'] }
    elseif ($answer.status -eq 'ok') { $answer.status = 'failed'; $answer.error = 'the result could not be told' }
    if ($answer.status -eq 'timed_out') { $session.helper = $null } else { $shell.Dispose() }
    return $ended
}

function Invoke-ImmyScript($operation, $answer) {
    $script = $null
    try { $script = Read-ImmyScript ([string]$operation.script) }
    catch {
        $answer.status = 'failed'
        $answer.error = $_.Exception.Message
        Add-ImmyAnswer $answer
        return $true
    }
    $given = $operation.params.params
    if ($null -eq $given) { $given = [ordered]@{} }
    $runspace = Open-ImmyRunspace
    $runspace.SessionStateProxy.SetVariable('params', $given)
    $runspace.SessionStateProxy.SetVariable('ProgressPreference', 'SilentlyContinue')
    $shell = [powershell]::Create()
    $shell.Runspace = $runspace
    [void]$shell.AddScript($script.text)
    foreach ($name in $script.names) { if ($given.Contains($name)) { [void]$shell.AddParameter($name, $given[$name]) } }
    $printed = New-Object IO.StringWriter
    [Console]::SetOut($printed)
    [Console]::SetError($printed)
    $output = New-Object 'Management.Automation.PSDataCollection[psobject]'
    $ended = Invoke-ImmyShell $shell $answer $operation.timeout $output
    $texts = Get-ImmyStreams $shell $printed.ToString()
    if ($ended) {
        Set-ImmyScriptResult $answer @($output) ([string]$operation.params.purpose) $runspace
        $rest = [Math]::Max(0, $output.Count - 1)
        foreach ($value in ($output | Select-Object -First ([Math]::Min($rest, 1000)))) { [void]$texts.Add([string]$value) }
    }
    # While the script's runspace is open, which such properties belong to.
    if ($ended) { $ended = Set-ImmyJson $answer ([Math]::Max(5, $operation.timeout - $answer.watch.Elapsed.TotalSeconds)) }
    $answer.output = ($texts -join "`n")
    $answer.warnings = @($shell.Streams.Warning.ReadAll() | ForEach-Object { $_.Message }) + @($shell.Streams.Error.ReadAll() | ForEach-Object { 'error: ' + (Get-ImmyErrorText $_) })
    Add-ImmyAnswer $answer
    if ($ended) { $shell.Dispose(); $runspace.Dispose() }
    Restore-ImmyProcess
    return $ended
}

function Complete-ImmyRequest($untouched) {
    $end = New-ImmyAnswer @{ id = '!end' }
    $end.result = [ordered]@{ answered = $session.answered; untouched = @($untouched) }
    Add-ImmyAnswer $end
    Send-ImmyPending
}

# Another computer than the one that is meant, as far as can be told here, is asked for nothing but its name.
function Test-ImmyExpected($operation, $answer) {
    $expected = $operation.params.expect
    if ($operation.op -ne 'identity' -or $null -eq $expected) { return $true }
    if ($answer.status -ne 'ok') { return $false }
    foreach ($name in @($expected.Keys)) {
        $told = ([string]$answer.result[$name]).Trim('{', '}', ' ')
        if (-not [string]::Equals($told, ([string]$expected[$name]).Trim('{', '}', ' '), 'OrdinalIgnoreCase')) { return $false }
    }
    return $true
}

$operations = @($args[0] | Select-Object -Skip 2 | Where-Object { $_.Trim() } | ForEach-Object {
        ConvertFrom-ImmyJson ([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($_)))
    })
for ($index = 0; $index -lt $operations.Count; $index++) {
    $operation = $operations[$index]
    $answer = New-ImmyAnswer $operation
    $ended = $true
    if ($operation.op -eq 'script') {
        $ended = Invoke-ImmyScript $operation $answer
    } else {
        $ended = Invoke-ImmyBuiltIn $operation $answer
        Add-ImmyAnswer $answer
        if ($ended -and -not (Test-ImmyExpected $operation $answer)) {
            Complete-ImmyRequest @($operations | Select-Object -Skip ($index + 1) | ForEach-Object { $_.id })
            [Environment]::Exit(0)
        }
    }
    if (-not $ended) {
        Complete-ImmyRequest @($operations | Select-Object -Skip ($index + 1) | ForEach-Object { $_.id })
        # Not Environment.Exit: that would wait for what could not be ended.
        [Diagnostics.Process]::GetCurrentProcess().Kill()
    }
}
Complete-ImmyRequest @()
# A thread that a script left running must not keep the process.
[Environment]::Exit(0)
