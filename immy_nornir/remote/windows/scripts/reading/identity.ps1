# Who this computer is: the registry always answers; CIM adds what only it knows, if it answers within its time.

# SMBIOS UUIDs that makers leave in place of a real one.
$ImmyNoUuid = '^(0{8}-0{4}-0{4}-0{4}-0{12}|f{8}-f{4}-f{4}-f{4}-f{12}|03000200-0400-0500-0006-000700080009)$'

function Get-ImmyUuid($cim) {
    $uuid = ([string](Get-ImmyFirst $cim 'Win32_ComputerSystemProduct' 'UUID')).ToLowerInvariant()
    if ($uuid -and $uuid -notmatch $ImmyNoUuid) { return @($uuid, 'smbios') }
    $guid = Get-ImmyRegistryText 'SOFTWARE\Microsoft\Cryptography' 'MachineGuid'
    if ($guid) { return @($guid.ToLowerInvariant(), 'machine_guid') }
    return @('', '')
}

function Test-ImmyRegistryNumber([string]$path, [string]$name) {
    $number = [long]0
    return [long]::TryParse((Get-ImmyRegistryText $path $name), [ref]$number) -and $number -gt 0
}

# Names of the sources that say a reboot is pending.
function Get-ImmyPendingReboots {
    $based = 'SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing'
    $update = 'SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update'
    $keys = @("$based\RebootPending", "$based\RebootInProgress", "$based\PackagesPending")
    if (@($keys | Where-Object { Open-ImmyKey 'LocalMachine' $_ }).Count) { 'component_based_servicing' }
    if (@("$update\RebootRequired", "$update\PostRebootReporting" | Where-Object { Open-ImmyKey 'LocalMachine' $_ }).Count) { 'windows_update' }
    $manager = Open-ImmyKey 'LocalMachine' "$ImmyControlSet\Session Manager"
    if ($manager) {
        foreach ($name in 'PendingFileRenameOperations', 'PendingFileRenameOperations2') {
            if (@($manager.GetValue($name) | Where-Object { $_ }).Count) { 'file_rename'; break }
        }
    }
    $active = Get-ImmyRegistryText "$ImmyControlSet\ComputerName\ActiveComputerName" 'ComputerName'
    $next = Get-ImmyRegistryText "$ImmyControlSet\ComputerName\ComputerName" 'ComputerName'
    if ($active -and $next -and $active -ne $next) { 'computer_rename' }
    $netlogon = Open-ImmyKey 'LocalMachine' 'SYSTEM\CurrentControlSet\Services\Netlogon'
    if ($netlogon) {
        $names = @($netlogon.GetValueNames()) + @($netlogon.GetSubKeyNames())
        if ($names -contains 'JoinDomain' -or $names -contains 'AvoidSpnSet') { 'domain_join' }
    }
    if (Test-ImmyRegistryNumber 'SOFTWARE\Microsoft\Updates' 'UpdateExeVolatile') { 'updates_exe_volatile' }
    if (Test-ImmyRegistryNumber 'SOFTWARE\Microsoft\ServerManager' 'CurrentRebootAttempts') { 'server_manager' }
    $runOnce = Open-ImmyKey 'LocalMachine' 'SOFTWARE\Microsoft\Windows\CurrentVersion\RunOnce'
    if ($runOnce -and $runOnce.GetValueNames() -contains 'DVDRebootSignal') { 'run_once' }
}

# Logged-on people: Windows keeps the key 'Volatile Environment' only while a person is logged on.
function Get-ImmyUsers {
    foreach ($sid in Get-ImmyUserSids) {
        $key = Open-ImmyKey 'Users' "$sid\Volatile Environment"
        if (-not $key -or -not $key.GetValue('USERNAME')) { continue }
        $domain = [string]$key.GetValue('USERDOMAIN')
        $name = [string]$key.GetValue('USERNAME')
        if ($domain) { $name = "$domain\$name" }
        [ordered]@{ sid = $sid; name = $name; profile = [string]$key.GetValue('USERPROFILE') }
    }
}

function Get-ImmyRole {
    switch (Get-ImmyRegistryText "$ImmyControlSet\ProductOptions" 'ProductType') {
        'WinNT' { return 'workstation' }
        'LanmanNT' { return 'domain_controller' }
        'ServerNT' { return 'server' }
        default { return $null }
    }
}

# Enclosure types of the SMBIOS specification, section 7.4.1.
function Get-ImmyChassis($cim) {
    $type = @(Get-ImmyFirst $cim 'Win32_SystemEnclosure' 'ChassisTypes')[0]
    if (-not $type) { $type = Get-ImmyRegistryText 'HARDWARE\DESCRIPTION\System\BIOS' 'EnclosureType' }
    switch ([string]$type) {
        { $_ -in '8', '9', '10', '14' } { return 'laptop' }
        { $_ -in '30' } { return 'tablet' }
        { $_ -in '31', '32' } { return 'convertible' }
        { $_ -in '3', '4', '5', '6', '7', '13', '15', '16', '24', '35', '36' } { return 'desktop' }
        { $_ -in '17', '23', '28', '29' } { return 'server' }
        { $_ -in '1', '2' } { return 'other' }
        default { return $null }
    }
}

function Get-ImmyArchitecture {
    $word = [Environment]::GetEnvironmentVariable('PROCESSOR_ARCHITEW6432')
    if (-not $word) { $word = Get-ImmyRegistryText "$ImmyControlSet\Session Manager\Environment" 'PROCESSOR_ARCHITECTURE' }
    if (-not $word) { $word = [Environment]::GetEnvironmentVariable('PROCESSOR_ARCHITECTURE') }
    switch ([string]$word) {
        'AMD64' { return 'x64' }
        'x86' { return 'x86' }
        'ARM64' { return 'arm64' }
        default { if ([Environment]::Is64BitOperatingSystem) { return 'x64' } else { return 'x86' } }
    }
}

function Get-ImmyFreeDisk {
    $drive = [Environment]::GetEnvironmentVariable('SystemDrive')
    if (-not $drive) { $drive = [IO.Path]::GetPathRoot([Environment]::CurrentDirectory) }
    try { return [Math]::Round((New-Object IO.DriveInfo $drive).AvailableFreeSpace / 1GB, 1) } catch { return $null }
}

function Get-ImmyOsName($cim, [string]$build) {
    $caption = ([string](Get-ImmyFirst $cim 'Win32_OperatingSystem' 'Caption')).Trim()
    if ($caption) { return $caption }
    $name = Get-ImmyRegistryText $ImmyCurrentVersion 'ProductName'
    $number = 0
    # The registry of Windows 11 still says Windows 10.
    if ($name -and [int]::TryParse($build, [ref]$number) -and $number -ge 22000) { $name = $name -replace '^Windows 10', 'Windows 11' }
    return $name
}

# The zone of the clock by Windows' own name; as tzutil says it, with `_dstoff` where clock changes are turned off.
function Get-ImmyTimeZone {
    # In the registry it is Windows' name in every edition: a PowerShell 7 may say Europe/Berlin, in some systems.
    $key = "$ImmyControlSet\TimeZoneInformation"
    $name = Get-ImmyRegistryText $key 'TimeZoneKeyName'
    # A name is written over the one before it: what stands behind its zero is the rest of that one.
    if ($name) { $name = $name.Split([char]0)[0].Trim() }
    if (-not $name) { $name = [TimeZoneInfo]::Local.Id }
    if (-not (Test-ImmyRegistryNumber $key 'DynamicDaylightTimeDisabled')) { return $name }
    $zone = $null
    try { $zone = [TimeZoneInfo]::FindSystemTimeZoneById($name) } catch { $zone = $null }
    if ($zone -and -not $zone.SupportsDaylightSavingTime) { return $name }
    return "${name}_dstoff"
}

function Get-ImmySystem($cim) {
    $build = Get-ImmyRegistryText $ImmyCurrentVersion 'CurrentBuildNumber'
    $version = $null
    if ($build) {
        $major = Get-ImmyRegistryText $ImmyCurrentVersion 'CurrentMajorVersionNumber'
        $minor = Get-ImmyRegistryText $ImmyCurrentVersion 'CurrentMinorVersionNumber'
        if ($major) { $version = "$major.$minor.$build" } else { $version = '{0}.{1}' -f (Get-ImmyRegistryText $ImmyCurrentVersion 'CurrentVersion'), $build }
    }
    $revision = Get-ImmyRegistryText $ImmyCurrentVersion 'UBR'
    $memory = Get-ImmyFirst $cim 'Win32_ComputerSystem' 'TotalPhysicalMemory'
    if ($memory) { $memory = [Math]::Round($memory / 1GB, 1) }
    $bios = 'HARDWARE\DESCRIPTION\System\BIOS'
    $maker = Get-ImmyFirst $cim 'Win32_ComputerSystem' 'Manufacturer'
    if (-not $maker) { $maker = Get-ImmyRegistryText $bios 'SystemManufacturer' }
    $model = Get-ImmyFirst $cim 'Win32_ComputerSystem' 'Model'
    if (-not $model) { $model = Get-ImmyRegistryText $bios 'SystemProductName' }
    return [ordered]@{
        os = Get-ImmyOsName $cim $build; version = $version
        build = $(if ($build -and $revision) { "$build.$revision" } else { $build })
        release = Get-ImmyRegistryText $ImmyCurrentVersion 'DisplayVersion'
        architecture = Get-ImmyArchitecture; chassis = Get-ImmyChassis $cim; role = Get-ImmyRole
        memory_gb = $memory; disk_free_gb = Get-ImmyFreeDisk; manufacturer = $maker; model = $model
        powershell = $PSVersionTable.PSVersion.ToString()
        language_mode = $ExecutionContext.SessionState.LanguageMode.ToString(); time = [Math]::Round((Get-ImmyTime), 3)
        time_zone = Get-ImmyTimeZone
    }
}

function Get-ImmyDomain($cim) {
    $system = @($cim['Win32_ComputerSystem'])[0]
    if ($system -and $null -ne $system.PartOfDomain) {
        if ($system.PartOfDomain) { return [string]$system.Domain }
        return ''
    }
    return [string](Get-ImmyRegistryText 'SYSTEM\CurrentControlSet\Services\Tcpip\Parameters' 'Domain')
}

function Read-ImmyIdentity {
    $cim = Get-ImmyCim @('Win32_ComputerSystemProduct', 'Win32_OperatingSystem', 'Win32_ComputerSystem', 'Win32_SystemEnclosure')
    # The active name is cut to 15 characters, the TCP/IP name is not.
    $name = Get-ImmyRegistryText 'SYSTEM\CurrentControlSet\Services\Tcpip\Parameters' 'Hostname'
    if (-not $name) { $name = Get-ImmyRegistryText "$ImmyControlSet\ComputerName\ActiveComputerName" 'ComputerName' }
    if (-not $name) { $name = [Environment]::MachineName }
    $uuid, $source = Get-ImmyUuid $cim
    $logons = @(Get-ImmyLogons)
    return [ordered]@{
        name = $name; domain = Get-ImmyDomain $cim; uuid = $uuid; uuid_source = $source; platform = 'windows'
        boot = Get-ImmyBoot $cim; pending_reboots = @(Get-ImmyPendingReboots)
        users = @($logons | ForEach-Object { $_.name }); logons = $logons; system = Get-ImmySystem $cim
    }
}
