"""Files of any size: results land in them, messages and recipients are read from them, all as streams."""
