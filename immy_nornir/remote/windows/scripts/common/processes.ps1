# Processes below a process, and programs started with their output read.

# Pairs of process and parent, by what this system offers: /proc, PowerShell 7's Parent, CIM.
function Get-ImmyParents {
    $parents = @{}
    if (Test-Path -LiteralPath '/proc/self/stat') {
        foreach ($path in [IO.Directory]::GetDirectories('/proc')) {
            $id = 0
            if (-not [int]::TryParse([IO.Path]::GetFileName($path), [ref]$id)) { continue }
            # The name in brackets may hold anything, so the fields are counted from the last bracket.
            try { $parents[$id] = [int](([IO.File]::ReadAllText("$path/stat") -replace '^.*\) ', '') -split ' ')[1] } catch { $null = $_ }
        }
        return $parents
    }
    if ($PSVersionTable.PSVersion.Major -ge 7) {
        foreach ($process in [Diagnostics.Process]::GetProcesses()) {
            $parent = $null
            try { $parent = ([psobject]$process).Parent } catch { $parent = $null }
            if ($parent) { $parents[$process.Id] = $parent.Id }
        }
        return $parents
    }
    $found = Get-ImmyCim @('Win32_Process') 5
    foreach ($process in @($found['Win32_Process'])) { if ($process) { $parents[[int]$process.ProcessId] = [int]$process.ParentProcessId } }
    return $parents
}

# Ids of all processes below the given one, parents first.
function Get-ImmyDescendants([int]$id) {
    $parents = Get-ImmyParents
    $found = New-Object Collections.ArrayList
    [void]$found.Add($id)
    for ($index = 0; $index -lt $found.Count; $index++) {
        foreach ($child in $parents.Keys) {
            if ($parents[$child] -eq $found[$index] -and -not $found.Contains($child)) { [void]$found.Add($child) }
        }
    }
    $found.Remove($id)
    return $found
}
