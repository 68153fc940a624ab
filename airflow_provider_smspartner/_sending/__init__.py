"""
What is to be sent, checked before anything is; and the one driver of the calls that send it.

::

    recipients, texts, options ──► Send ──► calls ──► deliver ──► receipts
                                                        │ ▲
                                               under way│ │done, adopted
                                                        ▼ │
                                                       Ledger
"""
