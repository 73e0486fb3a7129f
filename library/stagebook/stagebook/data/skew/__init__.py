"""How far data has moved from its baseline."""
