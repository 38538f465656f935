"""The reading kit of our own YAML files: nodes with places go in, typed values or problems with places come out.

The same shapes make the JSON Schemas. Only `fleet` calls it; it imports values and text only.
"""
