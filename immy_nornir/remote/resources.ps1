# Our own operations by their names.

function Invoke-ImmyOperation([string]$name, $parameters) {
    $value = switch ($name) {
        'identity' { Read-ImmyIdentity }
        'software' { , (Read-ImmySoftware) }
        'registry' { , (Read-ImmyRegistry $parameters) }
        default { throw "the runner knows no operation '$name'" }
    }
    # In a box: the pipeline would take a list apart.
    return [pscustomobject]@{ value = $value }
}
