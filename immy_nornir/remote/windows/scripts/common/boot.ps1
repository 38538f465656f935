# CIM within its time, and which boot this is.

$ImmyCurrentVersion = 'SOFTWARE\Microsoft\Windows NT\CurrentVersion'
$ImmyControlSet = 'SYSTEM\CurrentControlSet\Control'
$ImmyCimQueries = {
    param($names)
    $found = @{}
    foreach ($name in $names) {
        try { $found[$name] = @(Get-CimInstance -ClassName $name -OperationTimeoutSec 5 -ErrorAction Stop) } catch { $found[$name] = @() }
    }
    $found
}

# Class name -> instances; an empty map when CIM is missing, broken or slower than the given seconds.
function Get-ImmyCim([string[]]$names, [double]$seconds = 10) {
    if (-not (Get-Command -Name Get-CimInstance -ErrorAction SilentlyContinue)) { return @{} }
    # In a shell of its own: a broken WMI can block for ever, and the registry's answers must not wait for it.
    $shell = [powershell]::Create()
    [void]$shell.AddScript($ImmyCimQueries.ToString()).AddArgument($names)
    $running = $shell.BeginInvoke()
    if ($running.AsyncWaitHandle.WaitOne([int]($seconds * 1000))) {
        $found = $null
        try { $found = @($shell.EndInvoke($running))[0] } catch { $found = $null }
        $shell.Dispose()
        if ($found) { return $found }
        return @{}
    }
    [void]$shell.BeginStop($null, $null)
    return @{}
}

function Get-ImmyFirst($cim, [string]$class, [string]$property) {
    foreach ($instance in @($cim[$class])) {
        if ($null -ne $instance) { return $instance.$property }
    }
    return $null
}

function Get-ImmyEpoch($date) {
    if ($date -isnot [DateTime]) { return $null }
    return ($date.ToUniversalTime() - (New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc))).TotalSeconds
}

function Get-ImmyBoot($cim) {
    $id = Get-ImmyRegistryText "$ImmyControlSet\Session Manager\Memory Management\PrefetchParameters" 'BootId'
    $time = $null
    if ($cim) { $time = Get-ImmyEpoch (Get-ImmyFirst $cim 'Win32_OperatingSystem' 'LastBootUpTime') }
    if ($null -eq $time) {
        # The performance counter starts with the system; TickCount would overflow after 49 days.
        $time = (Get-ImmyTime) - [Diagnostics.Stopwatch]::GetTimestamp() / [Diagnostics.Stopwatch]::Frequency
    }
    return [ordered]@{ id = $id; time = [Math]::Round($time, 3) }
}

function Test-ImmyBootChanged($one, $other) {
    if ($one.id -and $other.id) { return [string]$one.id -ne [string]$other.id }
    if ($null -ne $one.time -and $null -ne $other.time) { return [Math]::Abs($one.time - $other.time) -gt 60 }
    return $false
}
