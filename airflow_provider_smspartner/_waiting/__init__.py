"""
Has a campaign left "Waiting"? One judgement and one rhythm, which the sensor's three modes and the trigger share.

Nothing here does I/O. The sensor polls with the synchronous hook, the trigger with the asynchronous one. Both count
what they read in a `Tally`, and a `Wait` turns it into a `PollReport`: what it means, and when to poll next.
"""
