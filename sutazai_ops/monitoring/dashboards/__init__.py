"""Grafana's dashboards, made of what is measured on a platform: a panel whose figures nobody exports is not there."""

from sutazai_ops.monitoring.dashboards.boards import dashboard_files, dashboards_for
from sutazai_ops.monitoring.dashboards.check import Checked, Found, check_dashboards

__all__ = ["Checked", "Found", "check_dashboards", "dashboard_files", "dashboards_for"]
