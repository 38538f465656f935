# Declared resources: each is compared with what is there, set where it differs, and read again.

function Set-ImmyRegistryValue([string]$hive, [string]$path, $resource) {
    $name = [string]$resource.name
    $before = Get-ImmyRegistryValue $hive $path $name
    $kind = 'String'
    if ($resource.type) { $kind = [string]$resource.type }
    if ($resource.absent) {
        if ($before.exists) { (Open-ImmyHive $hive 'Registry64').OpenSubKey($path, $true).DeleteValue($name, $false) }
    } else {
        $value = ConvertTo-ImmyRegistry $resource.value $kind
        $wanted = ConvertFrom-ImmyRegistry $value $kind
        if (-not $before.exists -or $before.type -ne $kind -or (ConvertTo-ImmyJson $before.value) -cne (ConvertTo-ImmyJson $wanted)) {
            (Open-ImmyHive $hive 'Registry64').CreateSubKey($path).SetValue($name, $value, [Microsoft.Win32.RegistryValueKind]$kind)
        }
    }
    return @($before, (Get-ImmyRegistryValue $hive $path $name))
}

function ConvertTo-ImmyRegistry($value, [string]$kind) {
    switch ($kind) {
        'DWord' { return [BitConverter]::ToInt32([BitConverter]::GetBytes([uint32](ConvertTo-ImmyWhole $value)), 0) }
        'QWord' { return ConvertTo-ImmyWhole $value }
        'MultiString' { return , [string[]]@($value | ForEach-Object { [string]$_ }) }
        'Binary' { return , [Convert]::FromBase64String([string]$value) }
        default { return [string]$value }
    }
}

function ConvertTo-ImmyWhole($value) {
    if ($value -is [bool]) { return [long][int]$value }
    if ($value -is [string] -and $value -match '^0[xX]') { return [Convert]::ToInt64($value, 16) }
    $whole = [long]$value
    # A negative DWORD is how some tools write the upper half.
    if ($whole -lt 0 -and $whole -ge -2147483648) { return $whole + 4294967296 }
    return $whole
}

function Set-ImmyRegistry($resource) {
    $hive, $path = Split-ImmyKey $resource.key
    $places = @(, @($hive, $path))
    if ($hive -eq 'CurrentUser' -or $resource.every_user) {
        $places = @(foreach ($sid in Get-ImmyUserSids) { , @('Users', "$sid\$path") })
    }
    foreach ($place in $places) {
        $before, $after = Set-ImmyRegistryValue $place[0] $place[1] $resource
        $key = $resource.key
        if ($place[0] -eq 'Users' -and $hive -ne 'Users') { $key = "HKU\$($place[1])" }
        Get-ImmyDifference "$key\$($resource.name)" $before.value $after.value
    }
}

# What changed, or nothing where it was already so.
function Get-ImmyDifference([string]$name, $before, $after) {
    if ((ConvertTo-ImmyJson $before) -ceq (ConvertTo-ImmyJson $after)) { return }
    [ordered]@{ name = $name; before = $before; after = $after }
}

function Set-ImmyStartup([string]$name, [string]$startup) {
    if ($startup -eq 'delayed') {
        # Windows PowerShell 5.1 has no word for it.
        $program = Get-Command -Name sc.exe -CommandType Application, Function -ErrorAction SilentlyContinue | Select-Object -First 1
        if (-not $program) { throw 'sc.exe is missing' }
        $said = & $program config $name start= delayed-auto
        if ($LASTEXITCODE -ne 0) { throw "service ${name}: $said" }
        return
    }
    $word = @{ automatic = 'Automatic'; manual = 'Manual'; disabled = 'Disabled' }[$startup]
    if (-not $word) { throw "a service cannot start '$startup'" }
    Set-Service -Name $name -StartupType $word -ErrorAction Stop
    $key = (Open-ImmyHive 'LocalMachine' 'Registry64').OpenSubKey("$ImmyServices\$name", $true)
    if ($key -and [string]$key.GetValue('DelayedAutostart') -eq '1') { $key.SetValue('DelayedAutostart', 0) }
}

function Set-ImmyService($resource) {
    $name = [string]$resource.name
    $before = Get-ImmyService $name
    if (-not $before) { throw "there is no service '$name'" }
    if ($resource.startup -and $resource.startup -ne $before.startup) { Set-ImmyStartup $name ([string]$resource.startup) }
    if ($resource.state -eq 'running' -and $before.state -ne 'running') { Start-Service -Name $name -ErrorAction Stop }
    if ($resource.state -eq 'stopped' -and $before.state -ne 'stopped') { Stop-Service -Name $name -Force -ErrorAction Stop }
    Get-ImmyDifference $name $before (Get-ImmyService $name)
}

function Set-ImmyFile($resource) {
    $path = [Environment]::ExpandEnvironmentVariables([string]$resource.path)
    if (-not [IO.Path]::IsPathRooted($path)) { throw "'$path' is no whole path" }
    $before = Get-ImmyFile $path
    if ($resource.absent) {
        if ($before) { Remove-Item -LiteralPath $path -Force -Recurse -ErrorAction Stop }
    } elseif ($null -ne $resource.content) {
        $bytes = [Text.Encoding]::UTF8.GetBytes([string]$resource.content)
        $sha = New-Object Security.Cryptography.SHA256CryptoServiceProvider
        $wanted = [BitConverter]::ToString($sha.ComputeHash($bytes)).Replace('-', '').ToLowerInvariant()
        if (-not $before -or $before.sha256 -ne $wanted) {
            [void][IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($path))
            # Over the old file, so that its rights stay.
            [IO.File]::WriteAllBytes($path, $bytes)
        }
    } elseif (-not $before) {
        [void][IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($path))
        [IO.File]::WriteAllBytes($path, (New-Object byte[] 0))
    }
    $after = Get-ImmyFile $path
    $digests = foreach ($file in $before, $after) { if ($file) { [string]$file.sha256 } else { '' } }
    Get-ImmyDifference ([string]$resource.path) $(if ($before) { $digests[0] }) $(if ($after) { $digests[1] })
}

function Set-ImmyPackage($resource) {
    $name = [string]$resource.name
    $read = @{ manager = $resource.manager; names = @($name) }
    $before = (Read-ImmyPackages $read)[$name]
    if ($before['error']) { throw $before['error'] }
    $wanted = 'present'
    if ($resource.state) { $wanted = [string]$resource.state }
    $action = $null
    $version = ''
    switch ($wanted) {
        'absent' { if ($before.installed) { $action = 'uninstall' } }
        'present' { if (-not $before.installed) { $action = 'install' } }
        'latest' {
            if ($before.installed -and $before['candidate_error']) { throw $before['candidate_error'] }
            if ($before.installed -ne $before.candidate -or -not $before.installed) { $action = 'install' }
        }
        default { if ($before.installed -ne $wanted) { $action = 'install'; $version = $wanted } }
    }
    if (-not $action) { return }
    $code = Invoke-ImmyPackage ([string]$resource.manager) $name $action $version
    if ($code -notin 0, 3010, 1641) { throw "$($resource.manager) $action $name ended with exit code $code" }
    $after = (Read-ImmyPackages $read)[$name]
    if ($after['error']) { throw $after['error'] }
    Get-ImmyDifference $name $before.installed $after.installed
}

function Set-ImmyResource($resource) {
    switch ([string]$resource.resource) {
        'registry' { Set-ImmyRegistry $resource }
        'service' { Set-ImmyService $resource }
        'file' { Set-ImmyFile $resource }
        'package' { Set-ImmyPackage $resource }
        default { throw "there is no resource '$($resource.resource)' on Windows" }
    }
}
