"""What the service says over HTTP: bodies, refusals, the OpenAPI schema, metrics, the page for people."""
