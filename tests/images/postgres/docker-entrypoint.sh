#!/usr/bin/env bash
# What the official image's entrypoint does, as far as a Compose file can tell: steps down from root, initialises an
# empty data folder behind a server that answers on its socket alone, then becomes the server.
# https://github.com/docker-library/docs/blob/master/postgres/content.md
set -Eeuo pipefail

fail() { echo "Error: $*" >&2; exit 1; }

# $POSTGRES_X, or what stands in the file that $POSTGRES_X_FILE names.
from_file() {
    local name=$1 file_name=${1}_FILE
    [ -z "${!name:-}" ] || [ -z "${!file_name:-}" ] || fail "both $name and $file_name are set (but are exclusive)"
    if [ -n "${!file_name:-}" ]; then export "$name"="$(< "${!file_name}")"; fi
    unset "$file_name"
}

initialise() {
    from_file POSTGRES_PASSWORD
    from_file POSTGRES_USER
    from_file POSTGRES_DB
    from_file POSTGRES_INITDB_ARGS
    local user=${POSTGRES_USER:-postgres}
    local database=${POSTGRES_DB:-$user} method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    [ -n "${POSTGRES_PASSWORD:-}" ] || [ "$method" = trust ] \
        || fail "Database is uninitialized and superuser password is not specified."
    eval "initdb --username=\"\$user\" --pwfile=<(printf '%s\n' \"\${POSTGRES_PASSWORD:-}\") ${POSTGRES_INITDB_ARGS:-}"
    printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"

    pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p 5432" -w start
    local psql=(psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$user")
    if [ "$database" != postgres ]; then
        "${psql[@]}" --dbname postgres --set db="$database" <<< 'CREATE DATABASE :"db";'
    fi
    psql+=(--dbname "$database")
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
            *.sh) bash "$file" ;;
            *.sql) "${psql[@]}" -f "$file" ;;
            *.sql.gz) gunzip -c "$file" | "${psql[@]}" ;;
        esac
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
    unset POSTGRES_PASSWORD
}

if [ "${1:0:1}" = - ]; then set -- postgres "$@"; fi
if [ "$1" = postgres ]; then
    mkdir -p "$PGDATA"
    if [ "$(id -u)" = 0 ]; then
        chown postgres "$PGDATA"
        chown postgres /var/run/postgresql
        exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
    fi
    chmod 00700 "$PGDATA" 2> /dev/null || true
    if [ ! -s "$PGDATA/PG_VERSION" ]; then
        initialise
        echo 'PostgreSQL init process complete; ready for start up.'
    else
        echo 'PostgreSQL Database directory appears to contain a database; Skipping initialization'
    fi
fi
exec "$@"
