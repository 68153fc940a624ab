"""An Airflow connection of type ``smspartner``: its fields, its form in the UI, and what it says."""
