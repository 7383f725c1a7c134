#!/bin/sh
# Run once, when the primary is made: lets the standby follow it, and keeps what it has not got yet.
set -eu
echo "host replication ntd all scram-sha-256" >> "$PGDATA/pg_hba.conf"
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" \
    -c "SELECT pg_create_physical_replication_slot('standby')"
