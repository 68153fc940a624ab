"""Statuses on their way into a table of a database: imported when a task runs, for SQLAlchemy is slow to load."""
