"""The compose engine: the platform as containers of one Docker host.

`docker compose` is the only one that makes or changes containers from a definition, so whatever is here can be done by
hand, too; docker-py looks, executes and streams.
"""
