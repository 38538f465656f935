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

# The lines that a program prints, without the progress that winget draws with carriage returns.
function Get-ImmyLines($command, [string[]]$arguments) {
    $lines = @(& $command @arguments 2>$null | ForEach-Object { ([string]$_ -split "`r")[-1] })
    return , @($lines | Where-Object { $_.Trim() })
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
    return [ordered]@{ installed = $null; candidate = $null }
}

function Read-ImmyWinget([string]$name) {
    $command = Get-ImmyProgram 'winget'
    $always = @('--id', $name, '--exact', '--accept-source-agreements', '--disable-interactivity')
    $state = Read-ImmyWingetRow (Get-ImmyLines $command (@('list') + $always)) $name
    if (-not $state.candidate) {
        # Newest first, below a line of dashes.
        $lines = Get-ImmyLines $command (@('show') + $always + '--versions')
        for ($index = 0; $index + 1 -lt $lines.Count; $index++) {
            if ($lines[$index] -match '^-{3,}\s*$') { $state.candidate = $lines[$index + 1].Trim(); break }
        }
    }
    if (-not $state.candidate) { $state.candidate = $state.installed }
    return $state
}

function Read-ImmyChocoRow([string[]]$lines, [string]$name) {
    foreach ($line in $lines) {
        $words = $line.Trim() -split '\|'
        if ($words.Count -ge 2 -and $words[0] -eq $name) { return $words[1] }
    }
    return $null
}

function Read-ImmyChoco([string]$name) {
    $command = Get-ImmyProgram 'choco'
    $local = @('list', '--limit-output', '--exact', $name)
    # Before version 2 `list` asked the feed unless told not to.
    if (([string](Get-ImmyLines $command @('--version'))[-1]) -match '^[01]\.') { $local += '--local-only' }
    $installed = Read-ImmyChocoRow (Get-ImmyLines $command $local) $name
    $candidate = Read-ImmyChocoRow (Get-ImmyLines $command @('search', '--limit-output', '--exact', $name)) $name
    if (-not $candidate) { $candidate = $installed }
    return [ordered]@{ installed = $installed; candidate = $candidate }
}

function Read-ImmyPackages($parameters) {
    $manager = Get-ImmyManager ([string]$parameters.manager)
    $answer = [ordered]@{}
    foreach ($name in $parameters.names) {
        if ($manager -eq 'winget') { $answer[$name] = Read-ImmyWinget $name } else { $answer[$name] = Read-ImmyChoco $name }
    }
    return $answer
}
