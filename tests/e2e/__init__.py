"""Tests of whole runs through the command line, judged by the lab's own log."""
