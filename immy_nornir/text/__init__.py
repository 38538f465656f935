"""Texts: YAML with places, late templates, redaction of secrets. Bytes and strings go in, nodes and values come out.

Everybody above may call it; it knows nothing of fleets.
"""
