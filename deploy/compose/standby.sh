#!/bin/sh
# Copies the primary at the first start, and follows it from then on. To promote it, after making sure that
# the old primary is stopped for good:  docker compose exec standby pg_ctl promote
set -eu
data=/var/lib/postgresql/data
if [ ! -s "$data/PG_VERSION" ]; then
    # A copy that was cut short is begun again.
    find "$data" -mindepth 1 -delete
    pg_basebackup --pgdata="$data" --wal-method=stream --write-recovery-conf --slot=standby \
        --dbname="host=postgres user=ntd application_name=standby"
    chmod 0700 "$data"
fi
# Once promoted it stands alone, and must not wait for itself.
exec postgres -D "$data" -c synchronous_standby_names=
