"""
The command that asks the real API, read-only, what its documents leave open.

::

    probes.py        what is asked, in which order, and within how many requests
       │ Evidence
    tags.py, lists.py, rows.py, exchanges.py
       │             what the answers say: a function for each question; judging.py has what they share
    assumptions.py   the table of what this package assumes, with the source of each
       │ list[Finding]
    report.py        the findings as a table and as JSON

`__main__` is the command line.
"""
