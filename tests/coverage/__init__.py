"""What of the EC2 API is built: the page ``docs/coverage.md``, generated and kept true."""
