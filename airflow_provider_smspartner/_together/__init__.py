"""
Waits of one connection poll together: what is due is asked for at once, and each wait gets its own answers.

One event loop holds one `SharedPolls` for each connection and its settings. A wait says what it asks for and when it
is due; once the first is due, all that is due goes out with it, 500 messages a call and one tally a tag. What room
the last call has left is filled with waits that are due later, once half of what they wanted to wait has passed: that
costs nothing, and soon lets them all poll in step.

Between its polls a wait is one object that stands in a line, and a poll leaves no new one behind: thousands of objects
that outlive each poll would make Python's collector search the whole heap again and again, and hold up the event loop
for as long as that takes.
"""
