# Scripts of the fleet: their parameters, and the exit code that they end with.

# Scripts get what they ask for by name in their param() block; `exit N` is told apart by a variable set before it:
# a runspace without a console forgets the code, and $LASTEXITCODE may be that of a program.
function Read-ImmyScript([string]$text) {
    $tokens = $null
    $errors = $null
    $tree = [Management.Automation.Language.Parser]::ParseInput($text, [ref]$tokens, [ref]$errors)
    if ($errors) { throw ('{0} (line {1})' -f $errors[0].Message, $errors[0].Extent.StartLineNumber) }
    $names = @()
    if ($tree.ParamBlock) { $names = @($tree.ParamBlock.Parameters | ForEach-Object { $_.Name.VariablePath.UserPath }) }
    $exits = @($tree.FindAll({ param($node) $node -is [Management.Automation.Language.ExitStatementAst] }, $true))
    foreach ($statement in ($exits | Sort-Object { $_.Extent.StartOffset } -Descending)) {
        $isStatement = $statement.Parent -is [Management.Automation.Language.StatementBlockAst] -or
            $statement.Parent -is [Management.Automation.Language.NamedBlockAst]
        if (-not $isStatement) { continue }
        $code = '$global:ImmyExit = 0; exit'
        if ($statement.Pipeline) { $code = '$global:ImmyExit = ' + $statement.Pipeline.Extent.Text + '; exit' }
        $start = $statement.Extent.StartOffset
        $text = $text.Substring(0, $start) + $code + $text.Substring($statement.Extent.EndOffset)
    }
    return @{ text = $text; names = $names }
}

function ConvertTo-ImmyExitCode($value) {
    $value = @($value)[-1]
    if ($null -eq $value) { return $null }
    try { return [int]$value } catch { return 1 }
}
