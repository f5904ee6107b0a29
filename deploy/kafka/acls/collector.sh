#!/bin/sh
# The rights of collector: takes telemetry and writes calls and samples.
# KAFKA is the address of a broker, ADMIN the file with the settings of somebody who may give rights.
set -eu
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-collector --operation Write --topic weir.calls
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-collector --operation Write --topic weir.samples
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-collector --operation Write --topic weir.deadletter
