"""Delivery: the champion with its code as one artefact, through environments, and as a wheel for consumers.

`artefact` packs it and gives it a hash; `deploy` puts it into an environment of docs/environments.yaml, tests it there and
records it; `wheel` packs the model alone.
"""
