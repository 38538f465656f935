param([string]$processes)
$ErrorActionPreference = 'Stop'
$busy = @()
$store = 'SOFTWARE\Microsoft\Windows\CurrentVersion\CapabilityAccessManager\ConsentStore'
$users = [Microsoft.Win32.RegistryKey]::OpenBaseKey('Users', 'Registry64')
# Hives that are loaded: of those who are logged on, and of services.
foreach ($sid in @($users.GetSubKeyNames() | Where-Object { $_ -match '^S-1-(5-21|12-1)-[\d-]+$' })) {
    foreach ($device in 'microphone', 'webcam') {
        $top = $users.OpenSubKey("$sid\$store\$device")
        if ($null -eq $top) { continue }
        $keys = @($top.GetSubKeyNames() | Where-Object { $_ -ne 'NonPackaged' } | ForEach-Object { $top.OpenSubKey($_) })
        $others = $top.OpenSubKey('NonPackaged')
        if ($null -ne $others) { $keys += @($others.GetSubKeyNames() | ForEach-Object { $others.OpenSubKey($_) }) }
        foreach ($key in $keys) {
            $began = $key.GetValue('LastUsedTimeStart')
            # Windows writes the end when a program lets go: 0 is "still in use".
            if ($null -ne $began -and [long]$began -gt 0 -and [long]$key.GetValue('LastUsedTimeStop', 1) -eq 0) {
                $busy += "$device in use by $(($key.Name -split '\\')[-1].Split('#')[-1])"
            }
        }
    }
    $shown = $users.OpenSubKey("$sid\Software\Microsoft\MobilePC\AdaptableSettings")
    if ($null -ne $shown -and [int]$shown.GetValue('Activity', 0) -eq 1) { $busy += 'presentation settings are on' }
}
$names = @($processes -split '\s+' | Where-Object { $_ })
foreach ($one in @(Get-Process | Where-Object { $names -contains $_.ProcessName })) { $busy += "$($one.ProcessName) runs" }
foreach ($what in $busy) { Write-Warning $what }
$busy.Count -eq 0
