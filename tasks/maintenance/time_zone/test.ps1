param([string]$zone)
[System.TimeZoneInfo]::Local.Id -eq $zone
