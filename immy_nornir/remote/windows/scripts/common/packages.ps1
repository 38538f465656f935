# winget and Chocolatey by their command lines. Their tables are made for people; only what is stable in them is read.

function Get-ImmyProgram([string]$name) {
    $command = @(Get-Command -Name $name -CommandType Application, Function, Cmdlet -ErrorAction SilentlyContinue)[0]
    if ($command) { return $command }
    if ($name -eq 'winget') {
        # As SYSTEM and in remote shells winget is not on the path, but its package folder is there.
        $root = [Environment]::GetEnvironmentVariable('ProgramW6432')
        if (-not $root) { $root = [Environment]::GetEnvironmentVariable('ProgramFiles') }
        if ($root) {
            $found = @(Get-ChildItem -Path "$root\WindowsApps\Microsoft.DesktopAppInstaller_*_*__8wekyb3d8bbwe\winget.exe" -ErrorAction SilentlyContinue)
            if ($found.Count) { return Get-Command -Name @($found | Sort-Object -Property FullName)[-1].FullName }
        }
    }
    if ($name -eq 'choco') {
        $home_ = [Environment]::GetEnvironmentVariable('ChocolateyInstall')
        if (-not $home_) { $home_ = Join-Path ([Environment]::GetFolderPath('CommonApplicationData')) 'chocolatey' }
        $path = Join-Path $home_ 'bin\choco.exe'
        if (Test-Path -LiteralPath $path) { return Get-Command -Name $path }
    }
    throw "$name is not installed on this computer"
}

# What a program prints, without the progress that winget draws with carriage returns, and its exit code.
function Invoke-ImmyQuestion($command, [string[]]$arguments) {
    $global:LASTEXITCODE = 0
    $lines = @(& $command @arguments 2>$null | ForEach-Object { ([string]$_ -split "`r")[-1] })
    return @{ code = $global:LASTEXITCODE; lines = @($lines | Where-Object { $_.Trim() }); asked = "$($arguments[0])" }
}

# A question that was not answered is no answer: nothing is known then, least of all that nothing is there.
function Deny-ImmyAnswer([string]$program, $answer, [string]$why) {
    if (-not $why) { $why = 'it ended with exit code {0} (0x{0:X8})' -f $answer.code }
    $last = @($answer.lines)[-1]
    if ($last) { $why += ": $(([string]$last).Trim())" }
    throw "$program $($answer.asked): $why"
}

function Get-ImmyManager([string]$manager) {
    switch ($manager.ToLowerInvariant()) {
        'winget' { return 'winget' }
        'choco' { return 'chocolatey' }
        'chocolatey' { return 'chocolatey' }
        default { throw "there is no package manager '$manager' on Windows; winget and chocolatey are known" }
    }
}

# 'Name  Id  Version  [Available]  Source': the columns' titles are translated and cut off, so the id itself is looked for.
function Read-ImmyWingetRow([string[]]$lines, [string]$id) {
    foreach ($line in $lines) {
        $row = [regex]::Match($line, '(?:^|\s)' + [regex]::Escape($id) + '\s+(.*)$', 'IgnoreCase')
        if (-not $row.Success) { continue }
        $words = @(($row.Groups[1].Value -replace '^([<>]) ', '$1') -split '\s+' | Where-Object { $_ })
        if (-not $words.Count) { continue }
        $available = $null
        if ($words.Count -gt 1 -and $words[1] -match '^[0-9v]') { $available = $words[1] }
        return [ordered]@{ installed = $words[0].TrimStart('<', '>'); candidate = $available }
    }
    return $null
}

# APPINSTALLER_CLI_ERROR_NO_APPLICATIONS_FOUND; a program of Unix keeps the last byte of it. Any other is no answer.
$ImmyWingetNothing = -1978335212, 2316632084, 20

function Read-ImmyWinget($command, [string]$name) {
    $always = @('--id', $name, '--exact', '--accept-source-agreements', '--disable-interactivity')
    $state = [ordered]@{ installed = $null; candidate = $null }
    $listed = Invoke-ImmyQuestion $command (@('list') + $always)
    if ($listed.code -notin $ImmyWingetNothing) {
        if ($listed.code -ne 0) { Deny-ImmyAnswer 'winget' $listed }
        $state = Read-ImmyWingetRow $listed.lines $name
        if (-not $state) { Deny-ImmyAnswer 'winget' $listed "it ended well, and no row names $name" }
    }
    if (-not $state.candidate) {
        try { $state.candidate = Read-ImmyWingetVersions $command $always }
        catch { $state['candidate_error'] = Get-ImmyWhy $_; return $state }
    }
    if (-not $state.candidate) { $state.candidate = $state.installed }
    return $state
}

# The newest version that its sources have; they are listed newest first, below a line of dashes.
function Read-ImmyWingetVersions($command, [string[]]$always) {
    $shown = Invoke-ImmyQuestion $command (@('show') + $always + '--versions')
    if ($shown.code -in $ImmyWingetNothing) { return $null }
    if ($shown.code -ne 0) { Deny-ImmyAnswer 'winget' $shown }
    for ($index = 0; $index + 1 -lt $shown.lines.Count; $index++) {
        if ($shown.lines[$index] -match '^-{3,}\s*$') { return $shown.lines[$index + 1].Trim() }
    }
    Deny-ImmyAnswer 'winget' $shown 'it ended well, and lists no versions'
}

function Read-ImmyChocoRow([string[]]$lines, [string]$name) {
    foreach ($line in $lines) {
        $words = $line.Trim() -split '\|'
        if ($words.Count -ge 2 -and $words[0] -eq $name) { return $words[1] }
    }
    return $null
}

# With enhanced exit codes 2 means that nothing was found.
function Invoke-ImmyChoco($command, [string[]]$arguments) {
    $answer = Invoke-ImmyQuestion $command $arguments
    if ($answer.code -notin 0, 2) { Deny-ImmyAnswer 'choco' $answer }
    return $answer
}

function Read-ImmyChoco($command, [string]$name) {
    $local = @('list', '--limit-output', '--exact', $name)
    # Before version 2 `list` asked the feed unless told not to.
    if (([string]@((Invoke-ImmyChoco $command @('--version')).lines)[-1]) -match '^[01]\.') { $local += '--local-only' }
    $installed = Read-ImmyChocoRow (Invoke-ImmyChoco $command $local).lines $name
    $state = [ordered]@{ installed = $installed; candidate = $null }
    try {
        $found = Invoke-ImmyChoco $command @('search', '--limit-output', '--exact', $name)
        $state.candidate = Read-ImmyChocoRow $found.lines $name
        # A feed that is away is told among the rows.
        if (-not $state.candidate -and @($found.lines -notmatch '\|').Count) { Deny-ImmyAnswer 'choco' $found 'it names no version' }
    } catch { $state['candidate_error'] = Get-ImmyWhy $_; return $state }
    if (-not $state.candidate) { $state.candidate = $installed }
    return $state
}

function Read-ImmyPackages($parameters) {
    if ((Get-ImmyManager ([string]$parameters.manager)) -eq 'winget') {
        $command = Get-ImmyProgram 'winget'
        return Read-ImmyEach $parameters.names { param($name) Read-ImmyWinget $command $name }
    }
    $command = Get-ImmyProgram 'choco'
    return Read-ImmyEach $parameters.names { param($name) Read-ImmyChoco $command $name }
}
