"""Claims about what must never happen to a computer, tried where they are easiest to break."""
