"""What happened -> values -> HTML, Markdown, JSON, CSV; never sees SQL.

`build.build` makes a `model.Report` from rows of the history, `render.render` makes text of it.
"""
