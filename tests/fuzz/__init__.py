"""Bad input: requests drawn from AWS's model, against every action that is built."""
