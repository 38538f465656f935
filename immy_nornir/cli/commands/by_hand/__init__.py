"""What an operator does by hand: a command, one item tried out, ended sessions again."""
