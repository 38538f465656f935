"""Who approves what sessions plan: beforehand, or asked when they are planned."""
