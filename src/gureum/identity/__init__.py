"""IAM: policies as values, and what they say of a request; no accounts and no server."""
