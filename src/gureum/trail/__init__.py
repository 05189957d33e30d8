"""Calls as CloudTrail records them: events, who made them, what they were about, and look-ups."""
