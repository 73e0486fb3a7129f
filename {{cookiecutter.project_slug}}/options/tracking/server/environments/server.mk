# The MLflow server of environments/tracking.toml, for one machine to try or to keep. PostgreSQL and object stores:
#   make server STORE=postgresql://mlflow@host/mlflow ARTIFACTS=s3://bucket/mlflow   (password in PGPASSWORD)
# It asks nobody who they are: let others reach it only through a proxy that does, HOST=0.0.0.0 is for behind one.
HOST ?= 127.0.0.1
STORE ?= sqlite:///$(CURDIR)/.local/mlflow.db
ARTIFACTS ?= $(CURDIR)/.local/mlruns

.PHONY: server
server: $(READY)  ## start the MLflow server of environments/tracking.toml (on this machine only; PORT=5000 STORE= ARTIFACTS=)
	@mkdir -p .local
	@$(RUN) mlflow server --host $(HOST) --port $(PORT) --backend-store-uri '$(STORE)' --artifacts-destination '$(ARTIFACTS)'
