"""The container engine inside instances: keeps containers as wanted and speaks Docker's API."""
