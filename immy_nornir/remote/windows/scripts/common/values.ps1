# Values between JSON and PowerShell. ConvertTo-Json and ConvertFrom-Json differ between Windows PowerShell 5.1 and
# PowerShell 7 (dates, arrays of one, note properties, depth), so both ways are written here once for both.

$ImmyToken = [regex]'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|true|false|null|-?[0-9][0-9.eE+-]*'
$ImmyPlainText = [regex]'^[\x20\x21\x23-\x5b\x5d-\x7e\xa0-\ud7ff\ue000-\uffff]*\z'
$ImmyControl = [regex]'[\x00-\x1f\x7f-\x9f]'
$ImmyLoneSurrogate = [regex]'[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]'
$ImmyInvariant = [Globalization.CultureInfo]::InvariantCulture
$ImmyMaximumJson = 1000000
$ImmyMaximumDepth = 32

function ConvertFrom-ImmyNumber([string]$text) {
    $whole = [long]0
    if ($text -notmatch '[.eE]' -and [long]::TryParse($text, [ref]$whole)) {
        if ($whole -ge -2147483648 -and $whole -le 2147483647) { return [int]$whole }
        return $whole
    }
    return [double]::Parse($text, $ImmyInvariant)
}

function Read-ImmyJson($state) {
    $text = $state.tokens[$state.next].Value
    $state.next++
    switch -CaseSensitive ($text[0]) {
        '"' {
            $inner = $text.Substring(1, $text.Length - 2)
            # The escapes of JSON are a part of those of .NET's regular expressions.
            if ($inner.IndexOf('\') -ge 0) { $inner = [regex]::Unescape($inner) }
            return $inner
        }
        '{' {
            $map = [ordered]@{}
            while ($state.tokens[$state.next].Value -ne '}') {
                if ($state.tokens[$state.next].Value -eq ',') { $state.next++ }
                $key = Read-ImmyJson $state
                $state.next++
                $map[[string]$key] = Read-ImmyJson $state
            }
            $state.next++
            return $map
        }
        '[' {
            $list = New-Object Collections.ArrayList
            while ($state.tokens[$state.next].Value -ne ']') {
                if ($state.tokens[$state.next].Value -eq ',') { $state.next++ }
                [void]$list.Add((Read-ImmyJson $state))
            }
            $state.next++
            return , $list.ToArray()
        }
        't' { return $true }
        'f' { return $false }
        'n' { return $null }
        default { return ConvertFrom-ImmyNumber $text }
    }
}

# JSON text -> maps (ordered, by name without case), object[], strings, numbers, booleans, null.
function ConvertFrom-ImmyJson([string]$text) {
    $state = @{ tokens = $ImmyToken.Matches($text); next = 0 }
    return , (Read-ImmyJson $state)
}

function Add-ImmyText($builder, [string]$text) {
    [void]$builder.Append('"')
    if (-not $ImmyPlainText.IsMatch($text)) {
        $text = $text.Replace('\', '\\').Replace('"', '\"').Replace("`r", '\r').Replace("`n", '\n').Replace("`t", '\t')
        $text = $ImmyLoneSurrogate.Replace($text, [string][char]0xfffd)
        if ($ImmyControl.IsMatch($text)) {
            $escape = [Text.RegularExpressions.MatchEvaluator] { param($match) '\u{0:x4}' -f [int][char]$match.Value }
            $text = $ImmyControl.Replace($text, $escape)
        }
    }
    [void]$builder.Append($text).Append('"')
}

function ConvertTo-ImmyDate([DateTime]$date) {
    return $date.ToString('yyyy-MM-ddTHH:mm:ss.FFFFFFFK', $ImmyInvariant)
}

# A scalar's JSON text, or null for what is no scalar.
function Get-ImmyScalar($value) {
    if ($value -is [bool]) { if ($value) { return 'true' } else { return 'false' } }
    if ($value -is [Enum]) { return $null }
    if ($value -is [double] -or $value -is [float]) {
        if ([double]::IsNaN($value) -or [double]::IsInfinity($value)) { return $null }
        return ([double]$value).ToString('R', $ImmyInvariant)
    }
    if ($value -is [ValueType] -and $value -isnot [char] -and [int][Type]::GetTypeCode($value.GetType()) -in 5..15) {
        return $value.ToString($ImmyInvariant)
    }
    return $null
}

# The text of a value that JSON has no form for, or null where it is a container.
function Get-ImmyTextOf($value) {
    if ($value -is [string] -or $value -is [char]) { return $value.ToString() }
    if ($value -is [DateTime]) { return ConvertTo-ImmyDate $value }
    if ($value -is [DateTimeOffset]) { return $value.ToString('o', $ImmyInvariant) }
    if ($value -is [byte[]]) { return [Convert]::ToBase64String($value) }
    if ($value -is [securestring] -or $value -is [Management.Automation.PSCredential]) { return '(secret)' }
    if ($value -is [Management.Automation.ErrorRecord]) { return Get-ImmyErrorText $value }
    if ($value -is [ValueType] -or $value -is [Version] -or $value -is [Uri] -or $value -is [Type]) { return $value.ToString() }
    if ($value -is [Net.IPAddress] -or $value -is [scriptblock] -or $value -is [Exception]) { return $value.ToString() }
    return $null
}

function Add-ImmyMap($builder, $pairs, [int]$depth, [bool]$scalarsOnly) {
    [void]$builder.Append('{')
    $first = $true
    foreach ($pair in $pairs) {
        if (-not $first) { [void]$builder.Append(',') }
        $first = $false
        Add-ImmyText $builder ([string]$pair[0])
        [void]$builder.Append(':')
        $item = $pair[1]
        # Of a .NET object only its own plain properties are told: its graph may be endless.
        if ($scalarsOnly -and $null -ne $item -and $null -eq (Get-ImmyScalar $item) -and $null -eq (Get-ImmyTextOf $item)) {
            $item = $item.ToString()
        }
        Add-ImmyJson $builder $item ($depth + 1)
    }
    [void]$builder.Append('}')
}

function Get-ImmyProperties($value) {
    foreach ($property in $value.PSObject.Properties) {
        # A getter may throw; then its value is unknown.
        $item = $null
        try { $item = $property.Value } catch { $item = $null }
        , @($property.Name, $item)
    }
}

function Add-ImmyJson($builder, $value, [int]$depth) {
    if ($builder.Length -gt $ImmyMaximumJson) { throw 'the result is larger than 1 MB' }
    if ($depth -gt $ImmyMaximumDepth) { throw 'the result is nested deeper than 32' }
    if ($null -eq $value -or $value -is [DBNull]) { [void]$builder.Append('null'); return }
    $scalar = Get-ImmyScalar $value
    if ($null -ne $scalar) { [void]$builder.Append($scalar); return }
    $text = Get-ImmyTextOf $value
    if ($null -ne $text) { Add-ImmyText $builder $text; return }
    if ($value -is [Collections.IDictionary]) {
        $pairs = @(foreach ($entry in $value.GetEnumerator()) { , @($entry.Key, $entry.Value) })
        Add-ImmyMap $builder $pairs $depth $false
        return
    }
    if ($value -is [Collections.IEnumerable]) {
        [void]$builder.Append('[')
        $first = $true
        foreach ($item in $value) {
            if (-not $first) { [void]$builder.Append(',') }
            $first = $false
            Add-ImmyJson $builder $item ($depth + 1)
        }
        [void]$builder.Append(']')
        return
    }
    $isOurs = $value.PSObject.BaseObject -is [Management.Automation.PSCustomObject]
    Add-ImmyMap $builder @(Get-ImmyProperties $value) $depth (-not $isOurs)
}

# Any value -> JSON text of strings, numbers, booleans, lists and maps; throws when it is too large or too deep.
function ConvertTo-ImmyJson($value) {
    $builder = New-Object Text.StringBuilder
    Add-ImmyJson $builder $value 0
    if ($builder.Length -gt $ImmyMaximumJson) { throw 'the result is larger than 1 MB' }
    return $builder.ToString()
}

# One line for an error: its message and the line of the script where it happened.
function Get-ImmyErrorText($record) {
    $message = [string]$record.Exception.Message
    if ($record.ErrorDetails -and $record.ErrorDetails.Message) { $message = [string]$record.ErrorDetails.Message }
    if ($record.InvocationInfo -and $record.InvocationInfo.ScriptLineNumber -gt 0) {
        return '{0} (line {1})' -f $message, $record.InvocationInfo.ScriptLineNumber
    }
    return $message
}

function Get-ImmyTime {
    return ([DateTime]::UtcNow - (New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc))).TotalSeconds
}
