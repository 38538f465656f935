"""Text of files: YAML with positions, late templates, redaction."""
