"""HOW it does: the probes that a deployment's gate and monitoring share."""
