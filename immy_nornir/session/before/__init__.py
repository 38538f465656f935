"""What a session is to do, by the files, before it begins: its spec, its inputs, how much it may be."""
