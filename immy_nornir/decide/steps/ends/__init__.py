"""How actions and sessions end, and in which words; pure."""
