"""Sending calls: a synchronous and an asynchronous client under one policy and one throttle."""
