"""`exporter`: the long-running process that measures the platform and tells Prometheus."""

from __future__ import annotations

from typing import Annotated

import typer

from sutazai_ops.installation import open_installation

app = typer.Typer()


@app.command()
def exporter(
    address: Annotated[
        str, typer.Option("--address", help="Of this machine, to listen on; 0.0.0.0 for every one.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="To listen on; monitoring.port if left out.")
    ] = None,
) -> None:
    """Measure what is meant to run, until ended by SIGTERM, and serve it to Prometheus at /metrics."""
    from sutazai_ops.deployment.meant import meant_to_run
    from sutazai_ops.monitoring.exporter.exporter import Exporter
    from sutazai_ops.monitoring.exporter.measuring import Watch
    from sutazai_ops.monitoring.exporter.program import run
    from sutazai_ops.monitoring.notify import notifiers

    here = open_installation()
    watch = Watch(here.settings, here.engine, here.store, lambda: meant_to_run(here))
    told = notifiers(here.settings.alerts, here.platform, here.engine)
    run(Exporter(watch, told), address, here.settings.monitoring.port if port is None else port)
