$space = 'root\CIMV2\Security\MicrosoftVolumeEncryption'
$volume = Get-CimInstance -Namespace $space -ClassName Win32_EncryptableVolume |
    Where-Object { $_.DriveLetter -eq $env:SystemDrive }
[bool]($volume -and $volume.ProtectionStatus -eq 1)
