"""Maintenance sessions for fleets of computers, built on Nornir."""

__version__ = "0.1.0"
