"""What CI runs: sample, report, retraining, proposals, GitHub, GitLab.

Workflows call commands of `stagebook`; the logic is here, so a person can run the same.
"""
