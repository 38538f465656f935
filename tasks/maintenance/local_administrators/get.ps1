# The members of the administrators' group, whatever it is called in the computer's language.
$sid = New-Object System.Security.Principal.SecurityIdentifier 'S-1-5-32-544'
$name = $sid.Translate([System.Security.Principal.NTAccount]).Value.Split('\')[-1]
$group = [ADSI]"WinNT://./$name,group"
@($group.psbase.Invoke('Members') | ForEach-Object {
        $_.GetType().InvokeMember('Name', 'GetProperty', $null, $_, $null)
    })
