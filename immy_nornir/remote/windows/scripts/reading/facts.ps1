# Facts by section. What only CIM knows is null where CIM does not answer.

function Get-ImmyDisks {
    $disks = New-Object Collections.ArrayList
    foreach ($drive in [IO.DriveInfo]::GetDrives()) {
        if ($drive.DriveType -ne 'Fixed' -or -not $drive.IsReady) { continue }
        [void]$disks.Add([ordered]@{
                name = $drive.Name.TrimEnd('\'); size_gb = [Math]::Round($drive.TotalSize / 1GB, 1)
                free_gb = [Math]::Round($drive.AvailableFreeSpace / 1GB, 1)
            })
    }
    return , $disks.ToArray()
}

function Read-ImmyHardware {
    $cim = Get-ImmyCim @('Win32_BIOS', 'Win32_ComputerSystem', 'Win32_Processor')
    $system = Get-ImmySystem $cim
    $processor = Get-ImmyFirst $cim 'Win32_Processor' 'Name'
    if (-not $processor) { $processor = Get-ImmyRegistryText 'HARDWARE\DESCRIPTION\System\CentralProcessor\0' 'ProcessorNameString' }
    $serial = Get-ImmyFirst $cim 'Win32_BIOS' 'SerialNumber'
    return [ordered]@{
        serial = $serial; manufacturer = $system.manufacturer; model = $system.model; memory_gb = $system.memory_gb
        processor = $processor; cores = [Environment]::ProcessorCount; disks = Get-ImmyDisks
    }
}

function Read-ImmyUserFacts {
    $logged = @(Get-ImmyUsers | ForEach-Object { [ordered]@{ name = $_.name; sid = $_.sid } })
    $profiles = New-Object Collections.ArrayList
    $root = Open-ImmyKey 'LocalMachine' "$ImmyCurrentVersion\ProfileList"
    foreach ($sid in @(if ($root) { $root.GetSubKeyNames() })) {
        if ($sid -notmatch '^S-1-(5-21|12-1)-[0-9-]+$') { continue }
        $path = [string]$root.OpenSubKey($sid).GetValue('ProfileImagePath')
        if ($path) { [void]$profiles.Add(($path -split '[\\/]')[-1]) }
    }
    return [ordered]@{ logged_on = $logged; profiles = $profiles.ToArray() }
}

function Get-ImmyAddresses($properties) {
    foreach ($address in $properties.UnicastAddresses) { $address.Address.ToString() }
}

function Read-ImmyNetwork {
    $adapters = New-Object Collections.ArrayList
    $servers = New-Object Collections.ArrayList
    foreach ($adapter in [Net.NetworkInformation.NetworkInterface]::GetAllNetworkInterfaces()) {
        if ([string]$adapter.NetworkInterfaceType -eq 'Loopback' -or [string]$adapter.OperationalStatus -ne 'Up') { continue }
        $properties = $adapter.GetIPProperties()
        $gateway = @($properties.GatewayAddresses | ForEach-Object { $_.Address.ToString() } | Where-Object { $_ -ne '0.0.0.0' })[0]
        $mac = ([string]$adapter.GetPhysicalAddress() -replace '(..)(?=.)', '$1:').ToLowerInvariant()
        [void]$adapters.Add([ordered]@{ name = $adapter.Name; addresses = @(Get-ImmyAddresses $properties); mac = $mac; gateway = $gateway })
        foreach ($server in $properties.DnsAddresses) { if (-not $servers.Contains($server.ToString())) { [void]$servers.Add($server.ToString()) } }
    }
    $domain = [string](Get-ImmyRegistryText 'SYSTEM\CurrentControlSet\Services\Tcpip\Parameters' 'Domain')
    return [ordered]@{ adapters = $adapters.ToArray(); dns = $servers.ToArray(); domain = $domain }
}

function Read-ImmyFacts($parameters) {
    return Read-ImmyEach $parameters.sections {
        param($section)
        switch ($section) {
            'hardware' { Read-ImmyHardware }
            'users' { Read-ImmyUserFacts }
            'network' { Read-ImmyNetwork }
            default { throw "there is no section '$section' of facts" }
        }
    }
}
