"""Which rule holds: deployments, patterns, conditions and variables go in, pinned desires of one computer come out."""
