"""Evaluation: metrics, intervals, costs, segments, fairness, behaviour, backtest, plots.

`metrics` has the metrics of each task, `bootstrap` their confidence intervals, `decisions` the cost of acting on
predictions. `segments` and `slices` find rows on which a model is weak, `behaviour` runs the tests of
docs/behaviour.yaml, `periods` and `backtest` evaluate period by period.
"""
