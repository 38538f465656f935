"""Windows: operations -> a bundle for `runner.ps1` -> answers, over any Transport to a PowerShell."""
