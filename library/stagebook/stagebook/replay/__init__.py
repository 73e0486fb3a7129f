"""A year replayed month by month: serve, log, monitor, trigger, retrain, promote or keep."""
