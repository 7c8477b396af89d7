#!/bin/sh
# Run by PostgreSQL's image when its volume is new. The program's role is an ordinary one: a superuser would be bound by
# no policy, so row security would keep nothing apart. The superuser is left without a password: it is let in from
# within the container only (docker compose exec postgres psql -U postgres).
set -eu
psql -v ON_ERROR_STOP=1 -v password="$POSTGRES_PASSWORD" -v superuser="$POSTGRES_USER" \
    --no-psqlrc --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE filewright LOGIN PASSWORD :'password';
CREATE DATABASE filewright OWNER filewright;
ALTER ROLE :"superuser" PASSWORD NULL;
SQL
