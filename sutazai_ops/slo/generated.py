"""What is generated from the objectives for Prometheus: the rules, and their tests beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sutazai_ops.platform import Platform
    from sutazai_ops.settings import Settings

RULES_FILE = "rules/objectives.yml"
"""From Prometheus' own folder on."""
PAGE = "when-a-budget-burns.md"


def page_url(settings: Settings) -> str:
    """Where the page can be read that says what to do when a budget burns: beside the runbooks."""
    return f"{settings.alerts.runbooks_url.rstrip('/').rpartition('/')[0]}/slo/{PAGE}"


def rules(settings: Settings, platform: Platform) -> str:
    """The rules on the budgets of a platform; raises `BadInput` for a file of objectives that is wrong."""
    from sutazai_ops.slo.burn import burn_rules_file
    from sutazai_ops.slo.objectives import read_objectives

    return burn_rules_file(read_objectives(platform, settings.slo.objectives), page_url(settings))


def rule_tests(settings: Settings, platform: Platform, rules_file: str) -> str:
    """Their tests; `rules_file` is where the rules lie from there."""
    from sutazai_ops.slo.burn_tests import burn_tests_file
    from sutazai_ops.slo.objectives import read_objectives

    return burn_tests_file(read_objectives(platform, settings.slo.objectives), rules_file, page_url(settings))
