"""What is shown while sessions are at work."""
