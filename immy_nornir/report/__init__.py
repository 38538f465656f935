"""What happened -> values -> HTML, Markdown, JSON; never sees SQL."""
