# Answers that tell of many things: each is read by itself, and one that cannot be read says why in its own place.

# Name -> what the block says of it.
function Read-ImmyEach($names, [scriptblock]$read) {
    $told = [ordered]@{}
    foreach ($element in $names) {
        try { $told[[string]$element] = & $read $element } catch { $told[[string]$element] = [ordered]@{ error = Get-ImmyWhy $_ } }
    }
    return $told
}

# Why something failed, without PowerShell's frame around the reason that .NET gave.
function Get-ImmyWhy($problem) {
    return $problem.Exception.GetBaseException().Message
}
