# Stands in for Windows' ScheduledTasks module: a task is a file, starting it starts its program in a session of its own.

$folder = $env:IMMY_TEST_TASKS

function Get-TaskFile($TaskPath, $TaskName) { Join-Path $folder (($TaskPath.Trim('\') + '_' + $TaskName) + '.json') }

function New-ScheduledTaskAction {
    [CmdletBinding()] param($Execute, $Argument)
    @{ Execute = $Execute; Argument = $Argument }
}

function New-ScheduledTaskPrincipal {
    [CmdletBinding()] param($UserId, $LogonType, $RunLevel)
    @{ UserId = $UserId; LogonType = $LogonType; RunLevel = $RunLevel }
}

function New-ScheduledTaskSettingsSet {
    [CmdletBinding()] param(
        [switch]$AllowStartIfOnBatteries, [switch]$DontStopIfGoingOnBatteries, $MultipleInstances, [TimeSpan]$ExecutionTimeLimit,
        [int]$Priority, [switch]$Hidden
    )
    @{ Priority = $Priority }
}

function Register-ScheduledTask {
    [CmdletBinding()] param($TaskPath, $TaskName, $Action, $Principal, $Settings, [switch]$Force)
    ConvertTo-Json -Depth 5 -InputObject @{ action = $Action; principal = $Principal } | Set-Content -LiteralPath (Get-TaskFile $TaskPath $TaskName)
    Add-Content -LiteralPath (Join-Path $folder 'log') "registered $TaskName"
}

function Start-ScheduledTask {
    [CmdletBinding()] param($TaskPath, $TaskName)
    if ($env:IMMY_TEST_TASKS_BROKEN) { throw 'the scheduler is broken' }
    $task = ConvertFrom-Json -InputObject (Get-Content -Raw -LiteralPath (Get-TaskFile $TaskPath $TaskName))
    Add-Content -LiteralPath (Join-Path $folder 'log') "started $TaskName"
    $line = 'setsid "{0}" {1} </dev/null >/dev/null 2>&1 &' -f $env:IMMY_PWSH, ($task.action.Argument -replace '^--headless powershell\.exe |^-WindowStyle Hidden ', '')
    $info = New-Object Diagnostics.ProcessStartInfo '/bin/sh', ('-c "{0}"' -f $line.Replace('"', '\"'))
    $info.UseShellExecute = $false
    [Diagnostics.Process]::Start($info).WaitForExit()
}

function Unregister-ScheduledTask {
    [CmdletBinding()] param($TaskPath, $TaskName, [switch]$Confirm)
    Remove-Item -LiteralPath (Get-TaskFile $TaskPath $TaskName) -ErrorAction SilentlyContinue
    Add-Content -LiteralPath (Join-Path $folder 'log') "removed $TaskName"
}
