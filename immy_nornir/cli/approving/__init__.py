"""Who approves what sessions plan: the question, its answer, and what is shown of a plan."""
