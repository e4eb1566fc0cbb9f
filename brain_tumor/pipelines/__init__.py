"""What each verb does, step by step; the only room that knows all rooms below. Nothing but verbs imports it."""
