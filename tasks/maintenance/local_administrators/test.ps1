param([string[]]$allowed)
$sid = New-Object System.Security.Principal.SecurityIdentifier 'S-1-5-32-544'
$name = $sid.Translate([System.Security.Principal.NTAccount]).Value.Split('\')[-1]
$group = [ADSI]"WinNT://./$name,group"
$members = @($group.psbase.Invoke('Members') | ForEach-Object {
        $_.GetType().InvokeMember('Name', 'GetProperty', $null, $_, $null)
    })
$strangers = @($members | Where-Object { $allowed -notcontains $_ })
foreach ($stranger in $strangers) { Write-Warning "unexpected administrator: $stranger" }
$strangers.Count -eq 0
