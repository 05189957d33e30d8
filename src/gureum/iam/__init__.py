"""Accounts and who acts in them: rows of the store and the actions of IAM's API, one file each."""
