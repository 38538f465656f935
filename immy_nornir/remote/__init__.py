"""The wire: bundles, runners, jobs, transports."""
