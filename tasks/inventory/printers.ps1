@(Get-CimInstance -ClassName Win32_Printer | ForEach-Object {
        @{ name = $_.Name; driver = $_.DriverName; port = $_.PortName; shared = [bool]$_.Shared }
    })
