[System.TimeZoneInfo]::Local.Id
