#!/bin/sh
# The rights of actuator: settles decisions, and publishes their outcomes.
# KAFKA is the address of a broker, ADMIN the file with the settings of somebody who may give rights.
set -eu
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-actuator --operation Read --topic weir.decisions
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-actuator --operation Read --operation Write --topic weir.outcomes
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-actuator --operation Write --topic weir.deadletter
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-actuator --operation Read --group weir-actuator
