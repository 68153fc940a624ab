"""
The command that asks the real API, read-only, what its documents leave open.

`probes` asks, and says what was assumed and what was seen; `__main__` is the command line, and prints it.
"""
