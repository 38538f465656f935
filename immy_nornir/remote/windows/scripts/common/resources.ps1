# Services, files and drivers.

$ImmyServices = 'SYSTEM\CurrentControlSet\Services'

function Get-ImmyStartup([string]$name) {
    $key = Open-ImmyKey 'LocalMachine' "$ImmyServices\$name"
    if (-not $key) { return $null }
    switch ([string]$key.GetValue('Start')) {
        '2' { if ([string]$key.GetValue('DelayedAutostart') -eq '1') { return 'delayed' } else { return 'automatic' } }
        '3' { return 'manual' }
        '4' { return 'disabled' }
        '' { return $null }
        default { return 'automatic' }
    }
}

function Get-ImmyService([string]$name) {
    $service = $null
    if (Get-Command -Name Get-Service -ErrorAction SilentlyContinue) {
        # By exact name: Get-Service would take it for a pattern.
        $pattern = [Management.Automation.WildcardPattern]::Escape($name)
        $service = @(Get-Service -Name $pattern -ErrorAction SilentlyContinue -ErrorVariable problems)[0]
        $denied = @($problems | Where-Object { $_ -and [string]$_.FullyQualifiedErrorId -notlike 'NoServiceFound*' })[0]
        if (-not $service -and $denied) { throw "service ${name}: $($denied.Exception.Message)" }
    }
    $startup = Get-ImmyStartup $name
    if (-not $service -and -not $startup) { return $null }
    if (-not $startup) { $startup = ([string]$service.StartType).ToLowerInvariant() }
    $state = 'other'
    if ($service -and [string]$service.Status -in 'Running', 'Stopped') { $state = ([string]$service.Status).ToLowerInvariant() }
    return [ordered]@{ state = $state; startup = $startup }
}

function Read-ImmyServices($parameters) {
    return Read-ImmyEach $parameters.names { param($name) Get-ImmyService $name }
}

# File.Exists says no as well where it may not look.
function Test-ImmyPath([string]$full) {
    try { [void][IO.File]::GetAttributes($full) }
    catch {
        $cause = $_.Exception.GetBaseException()
        if ($cause -is [IO.FileNotFoundException] -or $cause -is [IO.DirectoryNotFoundException]) { return $false }
        if ($cause -is [IO.DriveNotFoundException]) { return $false }
        throw $cause
    }
    return $true
}

function Get-ImmyFileHash([string]$path) {
    $share = [IO.FileShare]::ReadWrite -bor [IO.FileShare]::Delete
    $stream = New-Object IO.FileStream $path, ([IO.FileMode]::Open), ([IO.FileAccess]::Read), $share
    try {
        $sha = New-Object Security.Cryptography.SHA256CryptoServiceProvider
        return [BitConverter]::ToString($sha.ComputeHash($stream)).Replace('-', '').ToLowerInvariant()
    } finally { $stream.Dispose() }
}

# The numbers of the version resource: its text may say anything.
function Get-ImmyFileVersion([string]$path) {
    $info = [Diagnostics.FileVersionInfo]::GetVersionInfo($path)
    $numbers = '{0}.{1}.{2}.{3}' -f $info.FileMajorPart, $info.FileMinorPart, $info.FileBuildPart, $info.FilePrivatePart
    if ($numbers -ne '0.0.0.0') { return $numbers }
    if ($info.FileVersion) { return $info.FileVersion.Trim() }
    return $null
}

function Get-ImmyFile([string]$path) {
    $full = [Environment]::ExpandEnvironmentVariables($path)
    if (-not (Test-ImmyPath $full)) { return $null }
    if ([IO.Directory]::Exists($full)) { return [ordered]@{ sha256 = $null; size = $null; version = $null; mode = $null } }
    return [ordered]@{
        sha256 = Get-ImmyFileHash $full; size = (New-Object IO.FileInfo $full).Length
        version = Get-ImmyFileVersion $full; mode = $null
    }
}

function Read-ImmyFiles($parameters) {
    return Read-ImmyEach $parameters.paths { param($path) Get-ImmyFile $path }
}

# Published names (oem12.inf) of the driver packages that came from one INF file.
function Get-ImmyPublishedNames([string]$inf) {
    $inf
    $root = Open-ImmyKey 'LocalMachine' 'SYSTEM\DriverDatabase\DriverInfFiles'
    if (-not $root) { return }
    foreach ($name in $root.GetSubKeyNames()) {
        $packages = @($root.OpenSubKey($name).GetValue(''))
        if (@($packages | Where-Object { $_ -like "$inf`_*" }).Count) { $name }
    }
}

function ConvertTo-ImmyVersion([string]$text) {
    $version = $null
    if ([version]::TryParse($text, [ref]$version)) { return $version }
    return [version]'0.0'
}

# The newest version of the devices' drivers of that INF file, or of the devices whose name matches the pattern.
function Read-ImmyDriver($parameters) {
    $wanted = [string]$parameters.name
    $infs = @()
    if ($wanted -like '*.inf') { $infs = @(Get-ImmyPublishedNames $wanted) }
    $root = Open-ImmyKey 'LocalMachine' 'SYSTEM\CurrentControlSet\Control\Class'
    $versions = New-Object Collections.ArrayList
    $unread = @()
    foreach ($class in @(if ($root) { $root.GetSubKeyNames() })) {
        try { $devices = $root.OpenSubKey($class) } catch { $unread += "${class}: $(Get-ImmyWhy $_)"; continue }
        if (-not $devices) { continue }
        foreach ($number in @($devices.GetSubKeyNames() | Where-Object { $_ -match '^[0-9]{4}$' })) {
            $device = $null
            # Some classes may be read by SYSTEM only.
            try { $device = $devices.OpenSubKey($number) } catch { $unread += "$class\${number}: $(Get-ImmyWhy $_)" }
            if (-not $device -or -not $device.GetValue('DriverVersion')) { continue }
            $matched = $false
            if ($infs.Count) { $matched = $infs -contains [string]$device.GetValue('InfPath') }
            else { $matched = [string]$device.GetValue('DriverDesc') -like $wanted }
            if ($matched) { [void]$versions.Add([string]$device.GetValue('DriverVersion')) }
        }
    }
    if (-not $versions.Count -and $unread) { throw "it is not among the drivers that could be read; not read: $($unread[0])" }
    $newest = $versions | Sort-Object { ConvertTo-ImmyVersion $_ } | Select-Object -Last 1
    return [ordered]@{ version = $newest }
}
