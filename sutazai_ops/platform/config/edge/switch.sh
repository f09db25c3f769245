#!/bin/sh
# Sends requests to what stands in upstreams/<service>.caddy, `to HOST:PORT`, from the next one on. Caddy reads the host
# for each request from upstreams/<service>, so that no connection is closed: a reload closes those that wait for their
# next request, and a request that meets that is lost. The file is replaced whole, since somebody always reads it.
#   switch.sh [SERVICE...]    the services that are asked by their own name where nothing has been switched yet
set -eu
cd /etc/caddy/upstreams

for service in "$@"; do
    [ -s "$service" ] || printf %s "$service" > "$service"
done
for file in *.caddy; do
    [ -s "$file" ] || continue
    read -r to upstream rest < "$file"
    [ "$to" = to ] && [ -n "$upstream" ] || { echo "$file: not \`to HOST:PORT\`: $to $upstream $rest" >&2; exit 1; }
    service=${file%.caddy}
    printf %s "${upstream%:*}" > ".$service"
    mv ".$service" "$service"
done
