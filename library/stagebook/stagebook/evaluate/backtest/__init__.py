"""How good the chosen kind of model would have been period by period, and whether more rows would help."""
