"""Apache Airflow provider for SMS Partner, the French SMS gateway: send SMS, await a campaign, fetch its statuses."""

from __future__ import annotations

__version__ = "0.1.0"
