param([string]$zone)
tzutil.exe /s $zone
exit $LASTEXITCODE
