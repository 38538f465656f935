"""Tests of the service and of what is written for other schedulers."""
