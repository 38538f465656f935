"""All that is Nornir: inventory, runner, tasks."""
