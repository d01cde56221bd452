"""Any number of tags per image."""
