$ErrorActionPreference = 'Stop'
# BatteryStatus of Win32_Battery: 1 it is discharging, 4 low, 5 critical; 2 and 6 to 9 have mains power, 3 is full.
# No battery at all is a computer that hangs on its cable. A UPS counts as a battery.
$batteries = @(Get-CimInstance -ClassName Win32_Battery)
$empty = @($batteries | Where-Object { 1, 4, 5 -contains [int]$_.BatteryStatus })
$strange = @($batteries | Where-Object { 1, 2, 3, 4, 5, 6, 7, 8, 9, 11 -notcontains [int]$_.BatteryStatus })
foreach ($one in $empty) { Write-Warning "on battery: $($one.EstimatedChargeRemaining) % left" }
if ($empty.Count -eq 0 -and $strange.Count -gt 0) { throw "a battery does not say how it is: BatteryStatus $($strange[0].BatteryStatus)" }
$empty.Count -eq 0
