"""A whole cloud: a real daemon, AWS's own client, real packets."""
