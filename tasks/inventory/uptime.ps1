$started = (Get-CimInstance -ClassName Win32_OperatingSystem).LastBootUpTime
[math]::Round(((Get-Date) - $started).TotalDays, 1)
