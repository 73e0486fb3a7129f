"""The project's own upkeep: new steps, template updates, checks.

`checks` and `wiring` hold notebooks, modules and dvc.yaml together; `guard` refuses data and secrets in git; `update`
merges a newer template; `vendored` compares vendor/stagebook with what the template delivered.
"""
