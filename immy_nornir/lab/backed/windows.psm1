# What Windows has and the engine behind backed computers of the lab lacks: scheduled tasks, CIM, services, reboots.
# Everything belongs to the one computer whose folder is in IMMY_LAB_FOLDER; tasks and reboots are the lab's to carry out.

$script:Folder = $env:IMMY_LAB_FOLDER
$script:Tasks = Join-Path $script:Folder 'tasks'

function Get-LabMachine { [IO.File]::ReadAllText((Join-Path $script:Folder 'machine.json')) | ConvertFrom-Json }

# Written beside and renamed, so that another process never reads half a file.
function Write-LabFile([string]$path, [string]$text) {
    $part = "$path.$PID.part"
    [IO.File]::WriteAllText($part, $text)
    [IO.File]::Move($part, $path, $true)
}

# --- scheduled tasks ---------------------------------------------------------------------------------------------

function New-ScheduledTaskAction {
    param([Parameter(Mandatory)][string]$Execute, [string]$Argument, [string]$WorkingDirectory, [string]$Id)
    [pscustomobject]@{ Execute = $Execute; Arguments = $Argument; WorkingDirectory = $WorkingDirectory; Id = $Id }
}

function New-ScheduledTaskPrincipal {
    param([Parameter(Position = 0)][string]$UserId, [string]$GroupId, [string]$LogonType, [string]$RunLevel, [string]$Id, [string]$ProcessTokenSidType)
    [pscustomobject]@{ UserId = $UserId; GroupId = $GroupId; LogonType = $LogonType; RunLevel = $RunLevel; Id = $Id }
}

function New-ScheduledTaskTrigger {
    param([switch]$Once, [switch]$AtLogOn, [switch]$AtStartup, [switch]$Daily, $At, [string]$User)
    [pscustomobject]@{ Once = [bool]$Once; AtLogOn = [bool]$AtLogOn; AtStartup = [bool]$AtStartup; At = $At; User = $User }
}

function New-ScheduledTaskSettingsSet {
    param(
        [switch]$AllowStartIfOnBatteries, [switch]$DontStopIfGoingOnBatteries, [switch]$Hidden, [switch]$StartWhenAvailable,
        [switch]$DontStopOnIdleEnd, [switch]$WakeToRun, [switch]$Disable, [switch]$DisallowDemandStart, [switch]$DisallowHardTerminate,
        [TimeSpan]$ExecutionTimeLimit, [string]$MultipleInstances, [int]$Priority, [int]$RestartCount, [TimeSpan]$RestartInterval,
        [string]$Compatibility, [TimeSpan]$DeleteExpiredTaskAfter, [switch]$RunOnlyIfNetworkAvailable
    )
    [pscustomobject]@{ ExecutionTimeLimit = $ExecutionTimeLimit; MultipleInstances = $MultipleInstances; Priority = $Priority; Hidden = [bool]$Hidden }
}

function New-ScheduledTask {
    param($Action, $Principal, $Settings, $Trigger, [string]$Description)
    [pscustomobject]@{ Actions = @($Action); Principal = $Principal; Settings = $Settings; Triggers = @($Trigger); Description = $Description }
}

# Path and name of a task as one file name that every file system takes.
function Get-LabTaskFile([string]$path, [string]$name) {
    $whole = (($path.Trim('\', '/') + '\' + $name).Trim('\', '/')) -replace '[\\/]', '%5C'
    Join-Path $script:Tasks "$whole.json"
}

function Get-LabTaskParts([string]$path, [string]$name) {
    $whole = "$path\$name" -replace '/', '\' -replace '\\+', '\'
    $cut = $whole.LastIndexOf('\')
    $folder = ('\' + $whole.Substring(0, [Math]::Max(0, $cut)).Trim('\') + '\') -replace '\\+', '\'
    return @([string]$folder, [string]$whole.Substring($cut + 1))
}

function Register-ScheduledTask {
    [CmdletBinding()]
    param(
        [Parameter(Position = 0)][string]$TaskName, [Parameter(Position = 1)][string]$TaskPath = '\', $Action, $Principal, $Settings, $Trigger,
        [string]$Description, [string]$User, [string]$Password, [string]$RunLevel, [switch]$Force, $InputObject, [string]$Xml
    )
    if ($InputObject) { $Action = $InputObject.Actions; $Principal = $InputObject.Principal; $Settings = $InputObject.Settings }
    if ($Xml) {
        $document = [xml]$Xml
        $node = $document.Task.Actions.Exec
        $Action = New-ScheduledTaskAction -Execute $node.Command -Argument $node.Arguments
        $Principal = New-ScheduledTaskPrincipal -UserId ([string]$document.Task.Principals.Principal.UserId)
    }
    $path, $name = Get-LabTaskParts $TaskPath $TaskName
    $file = Get-LabTaskFile $path $name
    if ([IO.File]::Exists($file) -and -not $Force) { throw 'Cannot create a file when that file already exists.' }
    $userId = $User
    if ($Principal -and $Principal.UserId) { $userId = $Principal.UserId }
    $limit = $null
    if ($Settings -and $Settings.ExecutionTimeLimit) { $limit = $Settings.ExecutionTimeLimit.TotalSeconds }
    $task = [ordered]@{
        TaskName = $name; TaskPath = $path; UserId = $userId; Limit = $limit; Description = $Description
        Actions = @(@($Action) | ForEach-Object { [ordered]@{ Execute = $_.Execute; Arguments = $_.Arguments; WorkingDirectory = $_.WorkingDirectory } })
    }
    [void][IO.Directory]::CreateDirectory($script:Tasks)
    Write-LabFile $file (ConvertTo-Json $task -Depth 5)
    & $env:IMMY_LAB_PYTHON -I -m immy_nornir.lab.backed.task register $file | Out-Null
    Get-ScheduledTask -TaskName $name -TaskPath $path
}

function Get-ScheduledTask {
    [CmdletBinding()]
    param([Parameter(Position = 0)][string]$TaskName = '*', [Parameter(Position = 1)][string]$TaskPath = '')
    $wildcard = [Management.Automation.WildcardPattern]
    $found = @()
    if ([IO.Directory]::Exists($script:Tasks)) {
        $found = @(foreach ($file in [IO.Directory]::GetFiles($script:Tasks, '*.json')) {
                $task = [IO.File]::ReadAllText($file) | ConvertFrom-Json
                if ($task.TaskName -notlike $TaskName) { continue }
                if ($TaskPath -and ($task.TaskPath.Trim('\') -notlike $TaskPath.Trim('\'))) { continue }
                $state = 'Ready'
                $pidFile = [IO.Path]::ChangeExtension($file, '.pid')
                if ([IO.File]::Exists($pidFile)) {
                    $id = [int][IO.File]::ReadAllText($pidFile).Trim()
                    if (Get-Process -Id $id -ErrorAction SilentlyContinue) { $state = 'Running' }
                }
                [pscustomobject]@{
                    TaskName = $task.TaskName; TaskPath = $task.TaskPath; State = $state; Actions = $task.Actions; Description = $task.Description
                    Principal = [pscustomobject]@{ UserId = $task.UserId }
                }
            })
    }
    if (-not $found.Count -and -not $wildcard::ContainsWildcardCharacters($TaskName)) {
        $message = "No MSFT_ScheduledTask objects found with property 'TaskName' equal to '$TaskName'.  Verify the value of the property and retry."
        Write-Error $message -Category ObjectNotFound
        return
    }
    $found
}

function Get-ScheduledTaskInfo {
    [CmdletBinding()]
    param([Parameter(Position = 0)][string]$TaskName, [Parameter(Position = 1)][string]$TaskPath = '\')
    $path, $name = Get-LabTaskParts $TaskPath $TaskName
    $resultFile = [IO.Path]::ChangeExtension((Get-LabTaskFile $path $name), '.result')
    $result = 267011
    if ([IO.File]::Exists($resultFile)) { $result = [int][IO.File]::ReadAllText($resultFile).Trim() }
    [pscustomobject]@{ TaskName = $name; TaskPath = $path; LastTaskResult = $result }
}

function Get-LabTask($TaskName, $TaskPath, $InputObject) {
    if ($InputObject) { $TaskName = $InputObject.TaskName; $TaskPath = $InputObject.TaskPath }
    $path, $name = Get-LabTaskParts $TaskPath $TaskName
    $file = Get-LabTaskFile $path $name
    if (-not [IO.File]::Exists($file)) { throw "The system cannot find the file specified: $path$name" }
    $file
}

function Start-ScheduledTask {
    [CmdletBinding()]
    param([Parameter(Position = 0)][string]$TaskName, [Parameter(Position = 1)][string]$TaskPath = '\', [Parameter(ValueFromPipeline)]$InputObject)
    process {
        $file = Get-LabTask $TaskName $TaskPath $InputObject
        & $env:IMMY_LAB_PYTHON -I -m immy_nornir.lab.backed.task start $file | Out-Null
    }
}

function Stop-ScheduledTask {
    [CmdletBinding()]
    param([Parameter(Position = 0)][string]$TaskName, [Parameter(Position = 1)][string]$TaskPath = '\', [Parameter(ValueFromPipeline)]$InputObject)
    process {
        $file = Get-LabTask $TaskName $TaskPath $InputObject
        & $env:IMMY_LAB_PYTHON -I -m immy_nornir.lab.backed.task stop $file | Out-Null
    }
}

function Unregister-ScheduledTask {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Position = 0)][string]$TaskName, [Parameter(Position = 1)][string]$TaskPath = '\', [Parameter(ValueFromPipeline)]$InputObject)
    process {
        $file = Get-LabTask $TaskName $TaskPath $InputObject
        # A task that runs goes on when its registration is gone, as on Windows.
        foreach ($ending in '.json', '.result') { [IO.File]::Delete([IO.Path]::ChangeExtension($file, $ending)) }
    }
}

# --- CIM ---------------------------------------------------------------------------------------------------------

function Get-CimInstance {
    [CmdletBinding()]
    param(
        [Parameter(Position = 0)][string]$ClassName, [string]$Namespace, [string]$Filter, [string[]]$Property, [string]$Query,
        [uint32]$OperationTimeoutSec, [string]$ComputerName
    )
    if ($Query -match '(?i)\bfrom\s+(\w+)') { $ClassName = $Matches[1] }
    $machine = Get-LabMachine
    $booted = (New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc)).AddSeconds($machine.boot_time).ToLocalTime()
    switch ($ClassName) {
        'Win32_OperatingSystem' {
            [pscustomobject]@{
                Caption = $machine.os; Version = "$($machine.version)"; BuildNumber = "$($machine.build)"; OSArchitecture = $machine.os_architecture
                LastBootUpTime = $booted; CSName = $machine.name; LocalDateTime = [DateTime]::Now; ProductType = $machine.product_type
                TotalVisibleMemorySize = [long]($machine.memory_gb * 1MB); SystemDrive = 'C:'; InstallDate = $booted.AddYears(-1); Status = 'OK'
            }
        }
        'Win32_ComputerSystemProduct' { [pscustomobject]@{ UUID = $machine.uuid.ToUpper(); Name = $machine.model; Vendor = $machine.manufacturer; IdentifyingNumber = $machine.serial } }
        'Win32_ComputerSystem' {
            [pscustomobject]@{
                Name = $machine.name; Domain = $(if ($machine.domain) { $machine.domain } else { 'WORKGROUP' }); PartOfDomain = [bool]$machine.domain
                Manufacturer = $machine.manufacturer; Model = $machine.model; TotalPhysicalMemory = [long]($machine.memory_gb * 1GB)
                UserName = $(if (@($machine.users).Count) { @($machine.users)[0] } else { $null }); DomainRole = $machine.domain_role; NumberOfProcessors = 1
                SystemType = 'x64-based PC'
            }
        }
        'Win32_SystemEnclosure' { [pscustomobject]@{ ChassisTypes = @([uint16]$machine.chassis_type); SerialNumber = $machine.serial } }
        'Win32_BIOS' { [pscustomobject]@{ SerialNumber = $machine.serial; SMBIOSBIOSVersion = '1.0'; Manufacturer = $machine.manufacturer } }
        'Win32_Processor' { [pscustomobject]@{ Name = 'Lab CPU'; NumberOfCores = 4; NumberOfLogicalProcessors = 8 } }
        'Win32_LogicalDisk' { [pscustomobject]@{ DeviceID = 'C:'; DriveType = [uint32]3; Size = [uint64]($machine.disk_free_gb * 2GB); FreeSpace = [uint64]($machine.disk_free_gb * 1GB) } }
        'Win32_DiskDrive' { [pscustomobject]@{ Model = 'Lab Disk'; Size = [uint64]($machine.disk_free_gb * 2GB); SerialNumber = 'LABDISK' } }
        'Win32_NetworkAdapterConfiguration' { [pscustomobject]@{ Description = 'Ethernet'; IPEnabled = $true; IPAddress = @($machine.address); MACAddress = '02:00:00:00:00:01'; DHCPEnabled = $true } }
        'Win32_Service' {
            foreach ($service in Get-Service) {
                $mode = switch ($service.StartType) { 'Automatic' { 'Auto' } 'AutomaticDelayedStart' { 'Auto' } default { "$_" } }
                [pscustomobject]@{
                    Name = $service.Name; DisplayName = $service.DisplayName; State = "$($service.Status)"; StartMode = $mode
                    DelayedAutoStart = ($service.StartType -eq 'AutomaticDelayedStart')
                }
            }
        }
        'Win32_PnPSignedDriver' { foreach ($driver in $machine.drivers.PSObject.Properties) { [pscustomobject]@{ DeviceName = $driver.Name; InfName = $driver.Name; OriginalInfName = $driver.Name; DriverVersion = $driver.Value } } }
        'Win32_Process' { Get-Process | ForEach-Object { [pscustomobject]@{ ProcessId = $_.Id; Name = $_.ProcessName; ParentProcessId = 0 } } }
        default { Write-Error "Invalid class '$ClassName'" -Category MetadataError }
    }
}

function Get-WmiObject {
    param([Parameter(Position = 0)][Alias('Class')][string]$ClassName, [string]$Namespace, [string]$Filter)
    Get-CimInstance -ClassName $ClassName
}

# --- services ----------------------------------------------------------------------------------------------------

function Use-LabServices([scriptblock]$change) {
    $path = Join-Path $script:Folder 'services.json'
    $lock = $null
    $until = [DateTime]::UtcNow.AddSeconds(10)
    while (-not $lock) {
        try { $lock = New-Object IO.FileStream "$path.lock", 'OpenOrCreate', 'ReadWrite', 'None' }
        catch { if ([DateTime]::UtcNow -gt $until) { throw }; [Threading.Thread]::Sleep(20) }
    }
    try {
        $services = [IO.File]::ReadAllText($path) | ConvertFrom-Json
        & $change $services
        Write-LabFile $path (ConvertTo-Json $services -Depth 4)
    } finally { $lock.Dispose() }
}

function Get-Service {
    [CmdletBinding()]
    param([Parameter(Position = 0, ValueFromPipeline)][string[]]$Name = '*', [string]$DisplayName)
    process {
        $services = [IO.File]::ReadAllText((Join-Path $script:Folder 'services.json')) | ConvertFrom-Json
        foreach ($pattern in $Name) {
            $found = @($services.PSObject.Properties | Where-Object { $_.Name -like $pattern })
            if (-not $found.Count -and -not [Management.Automation.WildcardPattern]::ContainsWildcardCharacters($pattern)) {
                Write-Error "Cannot find any service with service name '$pattern'." -Category ObjectNotFound -ErrorId 'NoServiceFoundForGivenName'
            }
            foreach ($one in $found) {
                $status = switch ($one.Value.state) { 'running' { 'Running' } 'stopped' { 'Stopped' } default { 'Paused' } }
                $startup = Get-LabStartup $one.Name
                $service = [pscustomobject]@{ Name = $one.Name; ServiceName = $one.Name; DisplayName = $one.Name; Status = $status; StartType = $startup; CanStop = ($status -eq 'Running') }
                $service | Add-Member -MemberType ScriptMethod -Name WaitForStatus -Value { } -PassThru |
                    Add-Member -MemberType ScriptMethod -Name Refresh -Value { } -PassThru
            }
        }
    }
}

function Set-LabService([string[]]$names, [string]$state) {
    Use-LabServices {
        param($services)
        foreach ($name in $names) {
            $entry = $services.PSObject.Properties | Where-Object { $_.Name -eq $name }
            if (-not $entry) { throw "Service '$name' was not found on computer '.'." }
            if ($state -eq 'running' -and (Get-LabStartup $name) -eq 'Disabled') {
                throw "Service '$name' cannot be started because it is disabled."
            }
            $entry.Value.state = $state
        }
    }
}

# How a service starts is in the registry, as on Windows.
function Get-LabStartup([string]$name) {
    $key = Get-ItemProperty "HKLM:\SYSTEM\CurrentControlSet\Services\$name" -ErrorAction SilentlyContinue
    switch ($key.Start) {
        2 { if ($key.DelayedAutostart -eq 1) { return 'AutomaticDelayedStart' } else { return 'Automatic' } }
        3 { return 'Manual' }
        default { return 'Disabled' }
    }
}

function Set-LabStartup([string]$name, [string]$startup) {
    if (-not (Get-Service -Name $name -ErrorAction SilentlyContinue)) { throw "Service '$name' was not found on computer '.'." }
    $start = @{ Automatic = 2; AutomaticDelayedStart = 2; Manual = 3; Disabled = 4 }[$startup]
    $key = "HKLM:\SYSTEM\CurrentControlSet\Services\$name"
    Set-ItemProperty $key -Name Start -Value $start -Type DWord
    Set-ItemProperty $key -Name DelayedAutostart -Value ([int]($startup -eq 'AutomaticDelayedStart')) -Type DWord
}

function Set-Service {
    [CmdletBinding()]
    param([Parameter(Position = 0, ValueFromPipelineByPropertyName)][string]$Name, [string]$StartupType, [string]$Status, [switch]$PassThru)
    process {
        if ($StartupType) { Set-LabStartup $Name $StartupType }
        if ($Status) { Set-LabService $Name $Status.ToLower() }
        if ($PassThru) { Get-Service -Name $Name }
    }
}

function Start-Service {
    [CmdletBinding()]
    param([Parameter(Position = 0, ValueFromPipeline, ValueFromPipelineByPropertyName)][string[]]$Name)
    process { Set-LabService $Name 'running' }
}

function Stop-Service {
    [CmdletBinding()]
    param([Parameter(Position = 0, ValueFromPipeline, ValueFromPipelineByPropertyName)][string[]]$Name, [switch]$Force, [switch]$NoWait)
    process { Set-LabService $Name 'stopped' }
}

function Restart-Service {
    [CmdletBinding()]
    param([Parameter(Position = 0, ValueFromPipeline, ValueFromPipelineByPropertyName)][string[]]$Name, [switch]$Force)
    process { Set-LabService $Name 'running' }
}

# sc.exe as far as start-up types and states go.
function sc.exe {
    $verb, $name = $args[0], $args[1]
    $word = "$args"
    switch ($verb) {
        'config' {
            if ($word -match 'start=\s*(\S+)') {
                $words = @{ 'auto' = 'Automatic'; 'delayed-auto' = 'AutomaticDelayedStart'; 'demand' = 'Manual'; 'disabled' = 'Disabled' }
                Set-LabStartup $name $words[$Matches[1]]
            }
            "[SC] ChangeServiceConfig SUCCESS"
        }
        'start' { Set-LabService $name 'running' }
        'stop' { Set-LabService $name 'stopped' }
    }
    $global:LASTEXITCODE = 0
}

# --- reboots and names -------------------------------------------------------------------------------------------

function Request-LabReboot([double]$delay, [string]$reason) {
    Write-LabFile (Join-Path $script:Folder 'reboot') (ConvertTo-Json @{ delay = $delay; reason = $reason })
}

function Restart-Computer {
    [CmdletBinding(SupportsShouldProcess)]
    param([string[]]$ComputerName, [switch]$Force, [switch]$Wait, [int]$Delay, [int]$Timeout)
    Request-LabReboot 0 'Restart-Computer'
}

function shutdown.exe {
    $words = @($args | ForEach-Object { "$_" })
    $delay = 30
    $reason = 'shutdown.exe'
    for ($index = 0; $index -lt $words.Count; $index++) {
        if ($words[$index] -match '^[/-]t$') { $delay = [double]$words[$index + 1] }
        if ($words[$index] -match '^[/-]c$') { $reason = $words[$index + 1] }
    }
    if ($words -match '^[/-](r|g)$') { Request-LabReboot $delay $reason }
    elseif ($words -match '^[/-]a$') { [IO.File]::Delete((Join-Path $script:Folder 'reboot')) }
    $global:LASTEXITCODE = 0
}

function shutdown { shutdown.exe @args }
function hostname { $env:COMPUTERNAME }
function hostname.exe { $env:COMPUTERNAME }
function whoami { "$env:COMPUTERNAME\$env:USERNAME".ToLower() }
function whoami.exe { whoami }

Export-ModuleMember -Function '*-ScheduledTask*', 'Get-CimInstance', 'Get-WmiObject', '*-Service', 'sc.exe', 'Restart-Computer', 'shutdown*', 'hostname*', 'whoami*'
