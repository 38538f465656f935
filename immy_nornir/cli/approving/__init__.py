"""What an operator says: who approves what sessions plan, with the question and its answer, and what he orders."""
