"""Known secrets -> masks, in whatever form a text has them; `redact` is the way in."""
