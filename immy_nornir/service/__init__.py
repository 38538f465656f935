"""What happens without an operator at the keyboard: schedules, sessions whose time has come, a served Git ref.

Above Nornir's plugins, below the command line: nothing here prints, reads options or ends the process.
"""
