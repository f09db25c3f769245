"""What the exporter measures, one module for each kind of thing."""
