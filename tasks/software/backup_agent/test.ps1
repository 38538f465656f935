# True when the agent's service is there and runs; false means: repair it.
$service = Get-Service -Name 'UrBackupClientBackend' -ErrorAction SilentlyContinue
[bool]($service -and $service.Status -eq 'Running')
