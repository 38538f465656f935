# Protection of the system disk: 0 off, 1 on, 2 unknown.
$space = 'root\CIMV2\Security\MicrosoftVolumeEncryption'
$volume = Get-CimInstance -Namespace $space -ClassName Win32_EncryptableVolume |
    Where-Object { $_.DriveLetter -eq $env:SystemDrive }
@{ drive = $env:SystemDrive; protection = [int]$volume.ProtectionStatus }
