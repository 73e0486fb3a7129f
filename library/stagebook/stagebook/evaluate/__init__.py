"""Evaluation on the hold-out: metrics, confidence intervals, costs, plots.

`metrics` has the metrics of each task, `bootstrap` their confidence intervals, `decisions` the cost of acting on
predictions. The room `inspection` finds rows on which a model is weak, compares groups, and runs the tests of
docs/behaviour.yaml; the room `backtest` evaluates period by period.
"""
