"""What is generated from the objectives for Prometheus: the rules, and their tests beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.monitoring.configuration import Part

if TYPE_CHECKING:
    from sutazai_ops.generated_folder import Files
    from sutazai_ops.platform import Platform
    from sutazai_ops.settings import Settings

RULES_FILE = "rules/objectives.yml"
"""From Prometheus' own folder on."""
PAGE = "when-a-budget-burns.md"


def page_url(settings: Settings) -> str:
    """Where the page can be read that says what to do when a budget burns: beside the runbooks."""
    return f"{settings.alerts.runbooks_url.rstrip('/').rpartition('/')[0]}/slo/{PAGE}"


def _rules(settings: Settings, platform: Platform) -> Files:
    from sutazai_ops.slo.burn import burn_rules_file
    from sutazai_ops.slo.objectives import read_objectives

    rules = burn_rules_file(read_objectives(platform, settings.slo.objectives), page_url(settings))
    return {f"prometheus/{RULES_FILE}": rules}


def _rule_tests(settings: Settings, platform: Platform) -> Files:
    from sutazai_ops.slo.burn_tests import burn_tests_file
    from sutazai_ops.slo.objectives import read_objectives

    ones = read_objectives(platform, settings.slo.objectives)
    return {"rule-tests/objectives.yml": burn_tests_file(ones, f"../prometheus/{RULES_FILE}", page_url(settings))}


PARTS = (Part("prometheus", _rules), Part("prometheus", _rule_tests))
"""For `sutazai_ops.generated`; each raises `BadInput` for a file of objectives that is wrong."""
