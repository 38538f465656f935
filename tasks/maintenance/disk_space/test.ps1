param([double]$least_gb)
$drive = New-Object System.IO.DriveInfo $env:SystemDrive
($drive.AvailableFreeSpace / 1GB) -ge $least_gb
