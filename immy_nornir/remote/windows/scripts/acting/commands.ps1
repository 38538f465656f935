# A command that somebody typed: a line, a program with its arguments, or a script with its own. The words of a program are data: no text
# of PowerShell is made of them, and what another program has to read is quoted by that program's own rules.

# As CommandLineToArgvW reads them: https://learn.microsoft.com/cpp/c-language/parsing-c-command-line-arguments
function Join-ImmyArguments($words) {
    $quoted = foreach ($word in $words) {
        $text = [string]$word
        if ($text -ne '' -and $text -notmatch '[\s"]') { $text; continue }
        '"' + ($text -replace '(\\*)"', '$1$1\"' -replace '(\\+)$', '$1$1') + '"'
    }
    return @($quoted) -join ' '
}

# As cmd.exe reads them for itself and for batch files: inside quotes only % and " mean anything, and nothing carries the end of a line.
function Join-ImmyCmdWords($words) {
    $quoted = foreach ($word in $words) {
        $text = [string]$word
        if ($text -match '[\r\n\0]') { throw 'cmd.exe takes no argument with the end of a line in it' }
        if ($text -match '^[\w.:\\/@+=-]+$') { $text; continue }
        '"' + ($text -replace '%', '%%cd:~,%' -replace '(\\*)"', '$1$1""' -replace '(\\+)$', '$1$1') + '"'
    }
    return @($quoted) -join ' '
}

# Words for a cmdlet, a function or a script, in two parts to be splatted. What begins as the name of a parameter does is one, as on a
# command line: the engine knows it by this property. `-Name:value` is both in one.
function Split-ImmyWords($words) {
    $named = @{}
    $list = @(foreach ($word in $words) {
            $text = [string]$word
            if ($text -match '^-([A-Za-z_][\w-]*):([\s\S]+)$') {
                $name, $value = $Matches[1], $Matches[2]
                if ($value -in '$true', 'true') { $value = $true } elseif ($value -in '$false', 'false') { $value = $false }
                $named[$name] = $value
            } elseif ($text -match '^-[A-Za-z_?][\w-]*$') {
                # Handed on by the pipeline only: a method would be given the bare text.
                $marked = [Management.Automation.PSObject]::AsPSObject($text)
                $marked.PSObject.Properties.Add([Management.Automation.PSNoteProperty]::new('<CommandParameterName>', $text.Substring(1)))
                $marked
            } else { $text }
        })
    return @{ list = $list; named = $named }
}

function Start-ImmyCmd([string]$line) {
    if (-not $ImmyIsWindows) { throw 'this computer has no cmd.exe' }
    return Start-ImmyProgram 'cmd.exe' ('/e:ON /v:OFF /d /s /c "{0}"' -f $line)
}

# Runs a text as a file with these words; the exit code is its own, else that of its last program, else whether its last command went well.
function Invoke-ImmyTyped($outcome, [string]$text, $words) {
    $script = Read-ImmyScript $text
    $path = [IO.Path]::Combine($folder, 'script.ps1')
    $whole = $script.text
    $tree = [Management.Automation.Language.Parser]::ParseInput($whole, [ref]$null, [ref]$null)
    # A script of named blocks takes no statement behind them.
    if ($tree.EndBlock -and $tree.EndBlock.Unnamed) { $whole += "`r`n`r`n" + '$global:ImmyWell = $?' }
    [IO.File]::WriteAllText($path, $whole, (New-Object Text.UTF8Encoding $true))
    $split = Split-ImmyWords $words
    $list, $named = $split.list, $split.named
    $global:ImmyExit = $null
    $global:ImmyWell = $true
    $global:LASTEXITCODE = 0
    $outcome.exit_code = 0
    try {
        $ErrorActionPreference = 'Continue'
        & $path @list @named | Out-Host
        if (-not $global:ImmyWell) { $outcome.exit_code = if ($global:LASTEXITCODE) { $global:LASTEXITCODE } else { 1 } }
    } catch {
        $outcome.exit_code = 1
        $outcome.error = Get-ImmyErrorText $_
    }
    $code = ConvertTo-ImmyExitCode $global:ImmyExit
    if ($null -ne $code) { $outcome.exit_code = $code }
}

function Invoke-ImmyCommand($outcome) {
    $words = @($work.words)
    if ($work.script) { Invoke-ImmyTyped $outcome ([string]$work.script) $words; return }
    $first = [string]$words[0]
    if ([string]$work.shell -eq 'cmd') {
        $line = $first
        if ($words.Count -gt 1) { $line = Join-ImmyCmdWords $words }
        $outcome.exit_code = (Start-ImmyCmd $line).ExitCode
        return
    }
    if ($words.Count -eq 1) { Invoke-ImmyTyped $outcome $first @(); return }
    $rest = @($words[1..($words.Count - 1)])
    $command = $ExecutionContext.InvokeCommand.GetCommand($first, 'All')
    if (-not $command) { throw "there is no command '$first' on this computer" }
    while ($command.CommandType -eq 'Alias' -and $command.ResolvedCommand) { $command = $command.ResolvedCommand }
    if ($command.CommandType -ne 'Application') {
        # The words stay what they are: they reach the line below as a variable.
        $global:ImmyTyped = @{ command = $command } + (Split-ImmyWords $rest)
        Invoke-ImmyTyped $outcome '$list, $named = $global:ImmyTyped.list, $global:ImmyTyped.named; & $global:ImmyTyped.command @list @named' @()
    } elseif ($command.Path -match '\.(cmd|bat)$') {
        $outcome.exit_code = (Start-ImmyCmd (Join-ImmyCmdWords (@($command.Path) + $rest))).ExitCode
    } else {
        $outcome.exit_code = (Start-ImmyProgram $command.Path (Join-ImmyArguments $rest)).ExitCode
    }
}
