"""Data: sources, parsing, schema, checks, drift statistics, privacy, splits, profiles.

`reading.sources` reads a table from a file, a URL or a database; `infer` finds types and roles; `schema` and
`validate` check tables against data/schema.yaml; `skew` compares them with earlier data; `privacy` masks personal
data; `labels` describes labels and makes labels by rule.
"""
