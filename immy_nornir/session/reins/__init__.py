"""What reaches sessions from outside while they go on: holds of their computers, orders of other shells."""
