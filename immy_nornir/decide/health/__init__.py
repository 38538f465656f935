"""What is wrong with a computer or a session, and what to type; pure."""
