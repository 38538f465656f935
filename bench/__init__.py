"""Benchmarks: whole commands against a lab in a process of its own; ratios in one run, or CPU per computer."""
