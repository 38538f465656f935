# Stands in for Windows' CIM cmdlets: a few classes of one pretended computer.

function Get-CimInstance {
    [CmdletBinding()] param([string]$ClassName, [int]$OperationTimeoutSec)
    if ($env:IMMY_TEST_CIM -eq 'hangs') { [Threading.Thread]::Sleep(600000) }
    switch ($ClassName) {
        'Win32_ComputerSystemProduct' { [pscustomobject]@{ UUID = '4C4C4544-0042-3510-8052-B4C04F4A3233' } }
        'Win32_OperatingSystem' {
            [pscustomobject]@{ Caption = 'Microsoft Windows 11 Pro '; LastBootUpTime = [DateTime]::Now.AddHours(-1) }
        }
        'Win32_ComputerSystem' {
            [pscustomobject]@{
                PartOfDomain = $false; Domain = 'WORKGROUP'; TotalPhysicalMemory = 17179869184; Manufacturer = 'Contoso'; Model = 'X1'
            }
        }
        'Win32_SystemEnclosure' { [pscustomobject]@{ ChassisTypes = @(3) } }
        default { throw "no class $ClassName" }
    }
}
