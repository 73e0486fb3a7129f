"""MLflow runs and lineage of each step.

`tracking` connects to the project's store; `runs` opens one run per step below one per execution of the pipeline;
`lineage` links runs with files by their DVC hash; `events` sends OpenLineage events if a server is set.
"""
