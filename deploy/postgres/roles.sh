#!/bin/bash
# PostgreSQL's image runs this once, when its volume is empty. It makes two roles: that of the service, which owns the
# database and nothing else, and `monitor`, with which the exporter reads statistics.
set -euo pipefail

# postgresql://role:password@host/database
url=$(cat /run/secrets/database_url)
credentials=${url#*://}
credentials=${credentials%%@*}

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --host /var/run/postgresql --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set role="${credentials%%:*}" --set password="${credentials#*:}" \
    --set database="$POSTGRES_DB" --set monitor_password="$(cat /run/secrets/monitor_password)" <<'SQL'
create role :"role" login password :'password';
alter database :"database" owner to :"role";
revoke all on database :"database" from public;
create role monitor login password :'monitor_password' in role pg_monitor;
grant connect on database :"database" to monitor;
SQL
