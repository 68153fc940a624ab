"""Files of any size: results land in them, message lists are read from them, both as streams."""
