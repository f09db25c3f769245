#!/bin/bash
set -e
chown -R proxy: /var/log/squid /var/spool/squid 2> /dev/null || true
squid -Nz > /dev/null 2>&1 || true
exec squid "$@"
