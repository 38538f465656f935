@(Get-CimInstance -ClassName Win32_QuickFixEngineering | Sort-Object -Property HotFixID -Descending |
        Select-Object -First 10 | ForEach-Object { $_.HotFixID })
