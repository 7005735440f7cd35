"""Review and decisions: the card, the table, the evidence, the rules."""
