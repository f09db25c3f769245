"""One check of one service from outside, through the path a user takes.

The probe that gates a deployment is the probe that monitoring runs. Each ends in one of three states, each within its
own time, whatever the service does; what was not measured is unknown, never ok.
"""

from sutazai_ops.monitoring.probes.outcome import Outcome, ProbeState, Report
from sutazai_ops.monitoring.probes.run import probe_all, run_probe

__all__ = ["Outcome", "ProbeState", "Report", "probe_all", "run_probe"]
