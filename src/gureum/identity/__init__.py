"""Where accounts, access keys and the evaluation of policies will be; empty so far."""
