"""What the operators and the sensor are made of: their shared parameters, their checks, one run, and its results."""
