"""Ansible's inventory: files and folders go in, computers and groups with merged variables come out of `load`."""
