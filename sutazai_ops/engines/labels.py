"""The labels that a release stamps on its containers, so that what runs can be held against what was meant.

Compose's own hash of a service says nothing of the files it mounts, and differs between versions of Compose
(docker/compose#11900), so the hash here is ours.
"""

SPEC = "sutazai.spec"
"""The hash of a service's whole definition, the contents of its mounted files and the versions of its secrets."""
RELEASE = "sutazai.release"
"""The number of the release in which that hash was new."""
PHASE = "sutazai.phase"
"""The phase whose file the service stands in."""
SECRET_VERSION = "sutazai.secret."  # noqa: S105  (a label's name)
"""Before a secret's name: a keyed hash of its content, so that a new password makes its readers anew."""
