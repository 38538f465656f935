# Free gigabytes on the system drive.
$drive = New-Object System.IO.DriveInfo $env:SystemDrive
[math]::Round($drive.AvailableFreeSpace / 1GB, 1)
