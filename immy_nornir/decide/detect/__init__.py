"""What to ask and what was found: desires -> reading operations, and answers -> findings and facts."""
