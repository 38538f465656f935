# The registry by .NET's RegistryKey, which has both views and asks no provider.

$ImmyHives = @{
    HKLM = 'LocalMachine'; HKEY_LOCAL_MACHINE = 'LocalMachine'; HKU = 'Users'; HKEY_USERS = 'Users'
    HKCU = 'CurrentUser'; HKEY_CURRENT_USER = 'CurrentUser'; HKCR = 'ClassesRoot'; HKEY_CLASSES_ROOT = 'ClassesRoot'
}

function Open-ImmyHive([string]$hive, [string]$view) {
    return [Microsoft.Win32.RegistryKey]::OpenBaseKey($hive, $view)
}

# 'HKLM:\SOFTWARE\X' -> the hive's .NET name and the path below it.
function Split-ImmyKey([string]$key) {
    $word, $path = ($key -replace '^Registry::', '') -split '\\', 2
    $hive = $ImmyHives[$word.TrimEnd(':')]
    if (-not $hive) { throw "the registry has no hive '$word'" }
    return @($hive, [string]$path)
}

# A key opened for reading, or null.
function Open-ImmyKey([string]$hive, [string]$path, [string]$view = 'Registry64') {
    $base = Open-ImmyHive $hive $view
    if (-not $path) { return $base }
    return $base.OpenSubKey($path)
}

function Get-ImmyRegistryText([string]$path, [string]$name) {
    $key = Open-ImmyKey 'LocalMachine' $path
    if (-not $key) { return $null }
    $value = $key.GetValue($name)
    if ($null -eq $value) { return $null }
    return [string]$value
}

# Security identifiers of the people whose hives are loaded.
function Get-ImmyUserSids {
    foreach ($name in (Open-ImmyHive 'Users' 'Registry64').GetSubKeyNames()) {
        if ($name -match '^S-1-(5-21|12-1)-[0-9-]+$') { $name }
    }
}

function ConvertFrom-ImmyRegistry($value, [string]$kind) {
    if ($null -eq $value) { return $null }
    switch ($kind) {
        'DWord' { return [BitConverter]::ToUInt32([BitConverter]::GetBytes([int]$value), 0) }
        'QWord' { return [long]$value }
        'MultiString' { return , @($value) }
        'String' { return [string]$value }
        'ExpandString' { return [string]$value }
        default { if ($value -is [byte[]]) { return [Convert]::ToBase64String($value) } else { return [string]$value } }
    }
}

function Get-ImmyRegistryValue([string]$hive, [string]$path, [string]$name) {
    $absent = [ordered]@{ exists = $false; type = $null; value = $null }
    $key = Open-ImmyKey $hive $path
    if (-not $key -or $key.GetValueNames() -notcontains $name) { return $absent }
    $kind = [string]$key.GetValueKind($name)
    $value = $key.GetValue($name, $null, 'DoNotExpandEnvironmentNames')
    return [ordered]@{ exists = $true; type = $kind; value = (ConvertFrom-ImmyRegistry $value $kind) }
}

# A value that nobody may read is not absent, and says nothing of the others.
function Read-ImmyRegistryValue($wanted) {
    try {
        $hive, $path = Split-ImmyKey $wanted.key
        $name = [string]$wanted.name
        if ($hive -ne 'CurrentUser') { return Get-ImmyRegistryValue $hive $path $name }
        $users = Read-ImmyEach @(Get-ImmyUserSids) { param($sid) Get-ImmyRegistryValue 'Users' "$sid\$path" $name }
        try { $answer = Get-ImmyRegistryValue $hive $path $name }
        catch { $answer = [ordered]@{ exists = $null; type = $null; value = $null } }
        $answer['users'] = $users
        return $answer
    } catch { return [ordered]@{ error = (Get-ImmyWhy $_) } }
}

function Read-ImmyRegistry($parameters) {
    return , @(foreach ($wanted in $parameters.values) { Read-ImmyRegistryValue $wanted })
}
