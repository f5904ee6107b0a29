#!/bin/sh
# The rights of forecast: follows the progress, and publishes decisions.
# KAFKA is the address of a broker, ADMIN the file with the settings of somebody who may give rights.
set -eu
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-forecast --operation Read --topic weir.progress
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-forecast --operation Read --topic weir.alerts
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-forecast --operation Read --operation Write --topic weir.decisions
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-forecast --operation Describe --topic weir.calls
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-forecast --operation Describe --topic weir.samples
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-forecast --operation Read --group weir-forecast
