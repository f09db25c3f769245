"""WHAT should run: the phase files, and the model that reads them."""

from sutazai_ops.platform.external import with_external
from sutazai_ops.platform.model import (
    Backup,
    Criticality,
    Embedded,
    External,
    Login,
    Overlay,
    Phase,
    Platform,
    Probe,
    Product,
    Service,
    ServiceName,
    Tier,
)
from sutazai_ops.platform.read import read_platform

__all__ = [
    "Backup",
    "Criticality",
    "Embedded",
    "External",
    "Login",
    "Overlay",
    "Phase",
    "Platform",
    "Probe",
    "Product",
    "Service",
    "ServiceName",
    "Tier",
    "read_platform",
    "with_external",
]
