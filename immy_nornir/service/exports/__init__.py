"""Schedules -> files for systemd, cron and the Windows Task Scheduler, which call `immy run`; pure.

What such a format cannot say is said in the file: by comments, or, where nothing right can be written, instead of it.
"""
