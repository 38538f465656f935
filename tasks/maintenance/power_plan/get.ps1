# The GUID of the active power plan.
$line = powercfg.exe /getactivescheme
if ("$line" -match '([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})') { $Matches[1].ToLower() }
