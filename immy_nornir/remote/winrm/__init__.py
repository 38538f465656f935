"""The way to Windows computers by pywinrm: bytes go in, the streams of a PowerShell come out; errors are our own."""
