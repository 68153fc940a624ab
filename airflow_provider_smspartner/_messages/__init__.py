"""The messages that are asked for: read from arguments or files, and held until they have settled."""
