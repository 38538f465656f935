"""Schedules at work: the service that begins what is due, and files for others who begin it instead."""
