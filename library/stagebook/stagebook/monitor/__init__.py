"""Windows of predictions with their true values: what moved, how good the model still is, and what follows from it.

`measure` makes one record per window out of `drift`, `multivariate`, `label_shift`, `estimate`, `performance`,
`concept` and `feedback`: pure functions on tables and arrays.
"""
