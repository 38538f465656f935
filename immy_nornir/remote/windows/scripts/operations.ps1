# Our own operations by their names on the wire.

function Invoke-ImmyOperation([string]$name, $parameters) {
    $value = switch ($name) {
        'identity' { Read-ImmyIdentity }
        'facts' { Read-ImmyFacts $parameters }
        'software' { , (Read-ImmySoftware) }
        'packages' { Read-ImmyPackages $parameters }
        'registry' { , (Read-ImmyRegistry $parameters) }
        'service' { Read-ImmyServices $parameters }
        'file' { Read-ImmyFiles $parameters }
        'driver' { Read-ImmyDriver $parameters }
        'job.start' { Start-ImmyJob $parameters }
        'job.wait' { Update-ImmyLease $parameters.lease; Wait-ImmyJob ([string]$parameters.job_id) ([long]$parameters.from) ([double]$parameters.wait_seconds) }
        'job.output' { Read-ImmyJobOutput (Get-ImmyJobFolder ([string]$parameters.job_id)) ([long]$parameters.from) }
        'job.stop' { Stop-ImmyJob ([string]$parameters.job_id) }
        'lease.release' { Exit-ImmyLease $parameters.lease }
        'reboot' { Restart-ImmyComputer $parameters }
        default { throw "the runner knows no operation '$name'" }
    }
    # In a box: the pipeline would take a list apart.
    return [pscustomobject]@{ value = $value }
}
