param([string]$processes, [string]$posix_processes)
$ErrorActionPreference = 'Stop'
$names = @($processes -split '\s+' | Where-Object { $_ })
$busy = @(Get-Process | Where-Object { $names -contains $_.ProcessName } | ForEach-Object { $_.ProcessName } | Sort-Object -Unique)
foreach ($what in $busy) { Write-Warning "$what is at work" }
$busy.Count -eq 0
