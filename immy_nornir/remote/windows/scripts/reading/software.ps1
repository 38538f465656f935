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

# Product code -> upgrade code of everything that Windows Installer installed.
function Get-ImmyUpgradeCodes {
    $codes = @{}
    foreach ($path in 'SOFTWARE\Classes\Installer\UpgradeCodes', 'SOFTWARE\Microsoft\Windows\CurrentVersion\Installer\UpgradeCodes') {
        $root = Open-ImmyKey 'LocalMachine' $path
        if (-not $root) { continue }
        foreach ($packed in $root.GetSubKeyNames()) {
            $upgrade = Expand-ImmyGuid $packed
            if (-not $upgrade) { continue }
            foreach ($product in $root.OpenSubKey($packed).GetValueNames()) {
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

function Get-ImmyUninstallEntries($root, [string]$scope, [string]$view, $sid) {
    foreach ($name in $root.GetSubKeyNames()) {
        $key = $root.OpenSubKey($name)
        if (-not $key) { continue }
        $title = Get-ImmyTextValue $key 'DisplayName'
        $isProduct = $name -match $ImmyGuid
        if (-not $title -and -not $isProduct) { continue }
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
}

function Get-ImmyAllEntries {
    foreach ($bits in '64', '32') {
        # On 32-bit Windows both views are one.
        if ($bits -eq '32' -and -not [Environment]::Is64BitOperatingSystem) { continue }
        $root = Open-ImmyKey 'LocalMachine' "SOFTWARE\$ImmyUninstall" "Registry$bits"
        if ($root) { Get-ImmyUninstallEntries $root 'machine' $bits $null }
    }
    foreach ($sid in Get-ImmyUserSids) {
        $root = Open-ImmyKey 'Users' "$sid\Software\$ImmyUninstall"
        if ($root) { Get-ImmyUninstallEntries $root 'user' '64' $sid }
        $root = Open-ImmyKey 'Users' "$sid\Software\Wow6432Node\$ImmyUninstall"
        if ($root) { Get-ImmyUninstallEntries $root 'user' '32' $sid }
    }
}

function Read-ImmySoftware {
    $entries = @(Get-ImmyAllEntries)
    if (@($entries | Where-Object { $_.product_code }).Count) {
        $codes = Get-ImmyUpgradeCodes
        foreach ($entry in $entries) { if ($entry.product_code) { $entry.upgrade_code = $codes[$entry.product_code] } }
    }
    return , $entries
}
