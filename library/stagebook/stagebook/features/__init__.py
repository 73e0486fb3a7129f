"""Features: views, point-in-time joins, the online store.

A `FeatureView` is defined once. `store` joins its values as they were known at the time of each row; `online` keeps
the newest value of each key in a database and looks it up.
"""
