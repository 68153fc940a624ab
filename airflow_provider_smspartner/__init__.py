"""Apache Airflow provider for SMS Partner, the French SMS gateway: await a campaign, fetch its delivery statuses."""

from __future__ import annotations

__version__ = "0.1.0"
