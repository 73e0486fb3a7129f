"""The runner: one notebook as one step of the pipeline.

`run.run_step` checks parameters, executes the notebook, normalises its outputs and records the run. `warm` has the
process that keeps libraries imported and forks a process for each step.
"""
