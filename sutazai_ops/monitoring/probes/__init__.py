"""Probes: one check of one service from outside, through the path that its users take.

The probe that gates a deployment is the probe that monitoring runs: one definition, one code. Each ends in one of three
states, and *unknown* is one of them: what could not be measured is never called ok.
"""

from sutazai_ops.monitoring.probes.outcome import Outcome, ProbeState, Report
from sutazai_ops.monitoring.probes.run import probe_all, run_probe

__all__ = ["Outcome", "ProbeState", "Report", "probe_all", "run_probe"]
