# Installed software: every uninstall entry of both views of the machine and of every loaded user's hive.

$ImmyUninstall = 'Microsoft\Windows\CurrentVersion\Uninstall'
$ImmyGuid = '^\{[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}$'

# Windows Installer writes GUIDs packed: the first three groups reversed, the rest reversed in pairs.
function Expand-ImmyGuid([string]$packed) {
    if ($packed -notmatch '^[0-9A-Fa-f]{32}$') { return $null }
    $order = 7, 6, 5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 15, 14, 13, 12, 17, 16, 19, 18, 21, 20, 23, 22, 25, 24, 27, 26, 29, 28, 31, 30
    $flat = -join ($order | ForEach-Object { $packed[$_] })
    return ([guid]$flat).ToString('B').ToUpperInvariant()
}

# Product code -> upgrade code of everything that Windows Installer installed; $unread gets the upgrade codes that
# could not be read, or '*'.
function Get-ImmyUpgradeCodes($unread) {
    $codes = @{}
    foreach ($path in 'SOFTWARE\Classes\Installer\UpgradeCodes', 'SOFTWARE\Microsoft\Windows\CurrentVersion\Installer\UpgradeCodes') {
        try {
            $root = Open-ImmyKey 'LocalMachine' $path
            $names = @(if ($root) { $root.GetSubKeyNames() })
        } catch { $unread['*'] = "HKLM\${path}: $(Get-ImmyWhy $_)"; continue }
        foreach ($packed in $names) {
            $upgrade = Expand-ImmyGuid $packed
            if (-not $upgrade) { continue }
            try { $products = $root.OpenSubKey($packed).GetValueNames() }
            catch { $unread[$upgrade] = "HKLM\$path\${packed}: $(Get-ImmyWhy $_)"; continue }
            foreach ($product in $products) {
                $code = Expand-ImmyGuid $product
                if ($code -and -not $codes.ContainsKey($code)) { $codes[$code] = $upgrade }
            }
        }
    }
    return $codes
}

function Get-ImmyTextValue($key, [string]$name) {
    $value = $key.GetValue($name)
    if ($null -eq $value) { return $null }
    return ([string]$value).TrimEnd([char]0)
}

# An entry of which nothing is known but where it stands, or not even that: what nobody may read may be any software.
function New-ImmyUnread([string]$place, $name, $problem) {
    return [ordered]@{ key = $name; error = "${place}: $(Get-ImmyWhy $problem)" }
}

# All entries below a key; of one that cannot be read the others know nothing.
function Get-ImmyUninstallEntries([string]$hive, [string]$path, [string]$scope, [string]$view, $sid) {
    $place = "$(@{ LocalMachine = 'HKLM'; Users = 'HKU' }[$hive])\$path"
    if ($view -eq '32' -and $hive -eq 'LocalMachine') { $place += ' (32 bit)' }
    try {
        $opened = 'Registry64'
        if ($hive -eq 'LocalMachine') { $opened = "Registry$view" }
        $root = Open-ImmyKey $hive $path $opened
        $names = @(if ($root) { $root.GetSubKeyNames() })
    } catch { return New-ImmyUnread $place $null $_ }
    foreach ($name in $names) {
        try { Get-ImmyUninstallEntry $root $name $scope $view $sid } catch { New-ImmyUnread "$place\$name" $name $_ }
    }
}

function Get-ImmyUninstallEntry($root, [string]$name, [string]$scope, [string]$view, $sid) {
    $key = $root.OpenSubKey($name)
    if (-not $key) { return }
    $title = Get-ImmyTextValue $key 'DisplayName'
    $isProduct = $name -match $ImmyGuid
    if (-not $title -and -not $isProduct) { return }
    $code = $null
    if ($isProduct) { $code = $name.ToUpperInvariant() }
    [ordered]@{
        key = $name; scope = $scope; view = $view; sid = $sid; name = $title
        version = Get-ImmyTextValue $key 'DisplayVersion'; publisher = Get-ImmyTextValue $key 'Publisher'
        product_code = $code; uninstall = Get-ImmyTextValue $key 'UninstallString'
        quiet_uninstall = Get-ImmyTextValue $key 'QuietUninstallString'; location = Get-ImmyTextValue $key 'InstallLocation'
        install_date = Get-ImmyTextValue $key 'InstallDate'; system_component = Get-ImmyTextValue $key 'SystemComponent'
        upgrade_code = $null
    }
}

function Get-ImmyAllEntries {
    foreach ($bits in '64', '32') {
        # On 32-bit Windows both views are one.
        if ($bits -eq '32' -and -not [Environment]::Is64BitOperatingSystem) { continue }
        Get-ImmyUninstallEntries 'LocalMachine' "SOFTWARE\$ImmyUninstall" 'machine' $bits $null
    }
    foreach ($sid in Get-ImmyUserSids) {
        Get-ImmyUninstallEntries 'Users' "$sid\Software\$ImmyUninstall" 'user' '64' $sid
        Get-ImmyUninstallEntries 'Users' "$sid\Software\Wow6432Node\$ImmyUninstall" 'user' '32' $sid
    }
}

function Read-ImmySoftware {
    $entries = @(Get-ImmyAllEntries)
    if (@($entries | Where-Object { $_.product_code }).Count) {
        $unread = @{}
        $codes = Get-ImmyUpgradeCodes $unread
        foreach ($entry in $entries) { if ($entry.product_code) { $entry.upgrade_code = $codes[$entry.product_code] } }
        foreach ($code in @($unread.Keys)) { $entries += [ordered]@{ upgrade_code = $code; error = $unread[$code] } }
    }
    return , $entries
}
