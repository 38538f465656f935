"""What is shown while sessions are at work; of commands and items that are tried, what they said."""
