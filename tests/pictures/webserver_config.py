"""The configuration of Airflow 2's web server: whoever asks may do all, for it listens on loopback only."""

AUTH_ROLE_PUBLIC = "Admin"
