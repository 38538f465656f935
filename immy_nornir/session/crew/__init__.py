"""Threads, waits and wake-ups of this process: seats go in, what they ended with comes out; for Nornir's runner."""
