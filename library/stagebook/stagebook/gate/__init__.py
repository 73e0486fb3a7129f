"""The gate: requirements, checks, verdict.

`requirements` reads docs/requirements.yaml; `judge` compares each metric with its threshold and returns one `Point`
per gate. A missing metric closes the gate.
"""
