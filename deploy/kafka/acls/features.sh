#!/bin/sh
# The rights of features: counts calls and samples, and says how far it is.
# KAFKA is the address of a broker, ADMIN the file with the settings of somebody who may give rights.
set -eu
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-features --operation Read --topic weir.calls
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-features --operation Read --topic weir.samples
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-features --operation Write --topic weir.progress
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-features --operation Write --topic weir.deadletter
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-features --operation Read --group weir-features
