"""The fixtures that users' own tests get."""
