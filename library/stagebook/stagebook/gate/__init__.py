"""The gate: requirements, evidence, verdict.

`requirements` reads docs/requirements.yaml; `evidence` holds what was measured of a candidate; `metrics` lists what a gate
can be about; `check` compares each metric with its threshold and returns one `Point` per gate. A missing metric closes
the gate.
"""
