# Who is logged on, and whether they are there: active, locked, disconnected.

# Functions of wtsapi32.dll, declared in memory: Add-Type would start a compiler each time.
function Get-ImmyTerminalServices {
    if ($script:ImmyTerminalServices) { return $script:ImmyTerminalServices }
    $name = New-Object Reflection.AssemblyName 'ImmyTerminalServices'
    $access = [Reflection.Emit.AssemblyBuilderAccess]::Run
    $define = [Reflection.Emit.AssemblyBuilder].GetMethod('DefineDynamicAssembly', [Type[]]@([Reflection.AssemblyName], [Reflection.Emit.AssemblyBuilderAccess]))
    if ($define) { $assembly = $define.Invoke($null, @($name, $access)) }
    else { $assembly = [AppDomain]::CurrentDomain.DefineDynamicAssembly($name, $access) }
    $type = $assembly.DefineDynamicModule('ImmyTerminalServices').DefineType('ImmyTerminalServices', 'Public,Class')
    $pointer = [IntPtr].MakeByRefType()
    $number = [int].MakeByRefType()
    $functions = [ordered]@{
        WTSEnumerateSessionsW = [Type[]]@([IntPtr], [int], [int], $pointer, $number)
        WTSQuerySessionInformationW = [Type[]]@([IntPtr], [int], [int], $pointer, $number)
        WTSFreeMemory = [Type[]]@([IntPtr])
    }
    foreach ($function in @($functions.Keys)) {
        $method = $type.DefinePInvokeMethod($function, 'wtsapi32.dll', 'Public,Static,PinvokeImpl', [Reflection.CallingConventions]::Standard,
            [int], $functions[$function], [Runtime.InteropServices.CallingConvention]::Winapi, [Runtime.InteropServices.CharSet]::Unicode)
        $method.SetImplementationFlags('PreserveSig')
    }
    $script:ImmyTerminalServices = $type.CreateType()
    return $script:ImmyTerminalServices
}

# A value that Windows keeps of a session: 5 the user's name, 7 the domain, 25 WTSINFOEXW.
function Get-ImmySessionValue($services, [int]$session, [int]$class) {
    $buffer = [IntPtr]::Zero
    $size = 0
    if (-not $services::WTSQuerySessionInformationW([IntPtr]::Zero, $session, $class, [ref]$buffer, [ref]$size)) { return $null }
    try {
        if ($class -ne 25) { return [Runtime.InteropServices.Marshal]::PtrToStringUni($buffer) }
        return Read-ImmySessionInfo $buffer $size
    } finally { [void]$services::WTSFreeMemory($buffer) }
}

# WTSINFOEXW: the level, which aligns what follows to eight bytes, then WTSINFOEX_LEVEL1_W: id, state, flags, ...
function Read-ImmySessionInfo([IntPtr]$buffer, [int]$size) {
    if ($size -lt 20 -or [Runtime.InteropServices.Marshal]::ReadInt32($buffer) -ne 1) { return $null }
    return @{ state = [Runtime.InteropServices.Marshal]::ReadInt32($buffer, 12); flags = [Runtime.InteropServices.Marshal]::ReadInt32($buffer, 16) }
}

# The sessions of people: user, domain, state as WTS_CONNECTSTATE_CLASS (0 active, 4 disconnected), flags (0 locked, 1 unlocked, -1 not known).
function Get-ImmySessions {
    $services = Get-ImmyTerminalServices
    $list = [IntPtr]::Zero
    $count = 0
    if (-not $services::WTSEnumerateSessionsW([IntPtr]::Zero, 0, 1, [ref]$list, [ref]$count)) { throw 'Windows does not list its sessions' }
    try {
        # WTS_SESSION_INFOW: a number, a pointer, a number, each at a multiple of a pointer's size.
        for ($index = 0; $index -lt $count; $index++) {
            $id = [Runtime.InteropServices.Marshal]::ReadInt32($list, $index * 3 * [IntPtr]::Size)
            $user = Get-ImmySessionValue $services $id 5
            if (-not $user) { continue }
            $info = Get-ImmySessionValue $services $id 25
            if (-not $info) { $info = @{ state = -1; flags = -1 } }
            @{ id = $id; user = $user; domain = Get-ImmySessionValue $services $id 7; state = $info.state; flags = $info.flags }
        }
    } finally { [void]$services::WTSFreeMemory($list) }
}

# Windows 7 and Server 2008 R2 say it the other way round (WTSINFOEX_LEVEL1_W, learn.microsoft.com).
function Test-ImmyLocked([int]$flags) {
    $version = [Environment]::OSVersion.Version
    if ($ImmyIsWindows -and $version.Major -eq 6 -and $version.Minor -eq 1) { return $flags -eq 1 }
    return $flags -eq 0
}

# Each person once, in the best of the sessions: active before locked before disconnected.
function Get-ImmyLogons {
    $users = @(Get-ImmyUsers)
    if (-not $users.Count) { return }
    $sessions = $null
    try { $sessions = @(Get-ImmySessions) } catch { $null = $_ }
    foreach ($user in $users) {
        $state = 'unknown'
        if ($null -ne $sessions) {
            $state = 'disconnected'
            foreach ($session in $sessions) {
                if ("$($session.domain)\$($session.user)" -ne $user.name -and $session.user -ne $user.name) { continue }
                if ($session.state -ne 0) { continue }
                if (-not (Test-ImmyLocked $session.flags)) { $state = 'active'; break }
                $state = 'locked'
            }
        }
        [ordered]@{ name = $user.name; state = $state; desktop = $true }
    }
}
