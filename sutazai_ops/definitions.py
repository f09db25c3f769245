"""The front door for Dagster: merges one `defs()` per area, nothing else.

Loading reads the settings and the platform's files; it reaches no server and reads no secret.
"""

import dagster as dg

from sutazai_ops.backups.defs import defs as backups
from sutazai_ops.capacity.defs import defs as capacity
from sutazai_ops.deployment.defs import defs as deployment
from sutazai_ops.deployment.meant import meant_to_run
from sutazai_ops.generated import generated_here
from sutazai_ops.installation import read_installation
from sutazai_ops.models.defs import defs as models
from sutazai_ops.monitoring.defs import configured
from sutazai_ops.monitoring.defs import defs as monitoring
from sutazai_ops.orchestration import Operations
from sutazai_ops.remediation.defs import defs as remediation
from sutazai_ops.slo.defs import defs as objectives
from sutazai_ops.status_page.defs import defs as status_page


@dg.definitions
def defs() -> dg.Definitions:
    """Everything that Dagster runs for this installation."""
    settings, platform = read_installation()
    configuration = configured(settings, platform, generated_here)
    return dg.Definitions.merge(
        deployment(settings, platform, configured=configuration is not None),
        backups(settings, platform),
        monitoring(settings, configuration, generated_here),
        objectives(settings, meant_to_run),
        models(settings, platform),
        capacity(settings, meant_to_run),
        status_page(settings, meant_to_run),
        remediation(settings),
        dg.Definitions(resources={"operations": Operations()}, executor=dg.in_process_executor),
    )
