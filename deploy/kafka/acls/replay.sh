#!/bin/sh
# The rights of replay: weir replay on a cluster: ends recordings, and keeps rows that cannot be read.
# KAFKA is the address of a broker, ADMIN the file with the settings of somebody who may give rights.
set -eu
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-replay --operation Write --topic weir.calls
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-replay --operation Write --topic weir.samples
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-replay --operation Read --topic weir.progress
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-replay --operation Read --operation Write --topic weir.deadletter
