"""What is told of the record: events, tickets, and when a message is sent."""
