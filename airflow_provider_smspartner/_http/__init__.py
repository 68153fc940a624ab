"""Driving the protocol over HTTP: one policy and one throttle, a synchronous and an asynchronous client."""
