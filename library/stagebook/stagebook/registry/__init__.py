"""The model registry: versions, promotion, rollback, history.

`register` adds a version once per model; `life_cycle` promotes and rolls back; `history` is the log of promotions,
itself a registered model to which entries are only added; `keep` writes the champion to models/champion for git and
DVC.
"""
