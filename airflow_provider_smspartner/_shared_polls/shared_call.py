"""A call that is sent for several waits, and for whom it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from airflow_provider_smspartner._shared_polls.subscriber import Subscriber, still_wanted
from airflow_provider_smspartner.models import MessageRef
from airflow_provider_smspartner.protocol import MAX_MESSAGES_PER_CALL


@dataclass(slots=True)
class SharedCall:
    """
    The messages of one call, and whose they are: both in order, each once.

    :param messages: what to ask for.
    :param subscribers: the waits that some of the messages belong to, each with the number of its poll.
    """

    messages: dict[MessageRef, None] = field(default_factory=dict)
    subscribers: dict[Subscriber, int] = field(default_factory=dict)

    @property
    def wanted(self) -> list[Subscriber]:
        """The waits for which this call's answer still counts."""
        return still_wanted(self.subscribers)

    def part_for(self, subscribers: Iterable[Subscriber]) -> SharedCall:
        """
        Return the part of the call that is for some of its waits.

        :param subscribers: those waits.
        """
        subscribers = list(subscribers)
        wanted = {ref for subscriber in subscribers for ref in subscriber.messages()}
        return SharedCall(
            dict.fromkeys(ref for ref in self.messages if ref in wanted),
            {subscriber: self.subscribers[subscriber] for subscriber in subscribers},
        )

    def halves(self) -> Iterator[SharedCall]:
        """Yield the call in two, each for half of the waits that still want it."""
        wanted = self.wanted
        middle = len(wanted) // 2
        for half in filter(None, (wanted[:middle], wanted[middle:])):
            yield self.part_for(half)


def shared_calls(subscribers: Iterable[Subscriber]) -> list[SharedCall]:
    """
    Put the messages of several waits into as few calls as there may be, each message once.

    :param subscribers: whose polls have begun; each is told how many calls its poll takes.
    """
    calls: list[SharedCall] = []
    call_of: dict[MessageRef, SharedCall] = {}
    for subscriber in subscribers:
        its_calls: set[int] = set()
        for ref in subscriber.messages():
            call = call_of.get(ref)
            if call is None:
                if not calls or len(calls[-1].messages) == MAX_MESSAGES_PER_CALL:
                    calls.append(SharedCall())
                call = call_of[ref] = calls[-1]
            call.messages[ref] = None
            call.subscribers[subscriber] = subscriber.poll_number
            its_calls.add(id(call))
        subscriber.calls_left = len(its_calls)
    return calls
