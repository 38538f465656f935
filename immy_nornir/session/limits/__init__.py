"""Slots of the limits that hold over a whole process, and over all processes of one history."""
