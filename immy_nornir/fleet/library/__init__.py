"""Definitions of items: files in `tasks/` go in, software, tasks and inventory items come out; for `fleet.load`."""
