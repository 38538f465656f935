"""Computers of the lab whose command lines really run, in the PowerShell that the lab was given."""
