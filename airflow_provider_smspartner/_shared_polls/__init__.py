"""
Waits of one connection poll together: what is due is asked for at once, and each wait gets its own answers.

::

    wait A   ──────── due                          A, B and C each want to poll once a minute.
    wait B   ─────────────── due                   A is due. B and C are due later, but more than half of
    wait C   ──────────────────── due              their pause has passed: they go out in the same call.
                      │
                      ▼
            one call: messages of A, B and C       Up to 500 messages a call, and each tag once.
                      │
                      ▼
             A, B and C judge their own rows       From now on all three are due together.

One event loop holds one `SharedPolls` for each connection and its settings (`registry`). A `Subscriber` is a wait in
it; the `Schedule` says who is due; the dispatcher plans the calls and hands out their answers; the `Sender` sends them.

Between its polls a wait is one object in the schedule, and a poll leaves no new object behind. Otherwise Python's
garbage collector would search the whole heap again and again, and hold up the event loop for as long as that takes
(`benchmarks/RESULTS.md`, "longest block of the event loop"; `test_a_poll_leaves_nothing_for_the_collector`).
"""
