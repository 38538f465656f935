# Installing and removing packages; a part of jobs only.

# Program and arguments that do something to a package without asking.
function Get-ImmyPackageCommand([string]$manager, [string]$name, [string]$action, [string]$version) {
    if ((Get-ImmyManager $manager) -eq 'winget') {
        $arguments = @($action, '--id', $name, '--exact', '--silent', '--accept-source-agreements', '--disable-interactivity')
        if ($action -eq 'install') { $arguments += '--accept-package-agreements' }
        if ($version) { $arguments += @('--version', $version) }
        return @{ program = (Get-ImmyProgram 'winget'); arguments = $arguments }
    }
    $arguments = @('uninstall', $name, '-y', '--no-progress')
    if ($action -eq 'install') {
        # `upgrade` installs what is missing too.
        $arguments = @('upgrade', $name, '-y', '--no-progress')
        if ($version) { $arguments += @('--version', $version, '--allow-downgrade') }
    }
    return @{ program = (Get-ImmyProgram 'choco'); arguments = $arguments }
}

# winget's own codes -> those of Windows Installer: https://github.com/microsoft/winget-cli/blob/master/doc/windows/package-manager/winget/returnCodes.md
$ImmyWingetCodes = @{ '-1978335189' = 0; '-1978335135' = 0; '-1978334963' = 0; '-1978334967' = 3010; '-1978334965' = 1641; '-1978334974' = 1618 }

function Invoke-ImmyPackage([string]$manager, [string]$name, [string]$action, [string]$version) {
    $command = Get-ImmyPackageCommand $manager $name $action $version
    $arguments = $command.arguments
    $global:LASTEXITCODE = 0
    & $command.program @arguments | Out-Host
    $code = $global:LASTEXITCODE
    if ((Get-ImmyManager $manager) -eq 'winget' -and $ImmyWingetCodes.ContainsKey([string]$code)) { return $ImmyWingetCodes[[string]$code] }
    return $code
}
