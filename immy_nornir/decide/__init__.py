"""All decisions, pure: values go in, values come out; no input or output, no clock, no log.

Everybody above may ask; a decision asks nobody.
"""
