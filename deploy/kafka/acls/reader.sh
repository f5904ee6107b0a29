#!/bin/sh
# The rights of reader: people's commands that only look: status, doctor, deadletter, alerts, decisions.
# KAFKA is the address of a broker, ADMIN the file with the settings of somebody who may give rights.
set -eu
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-reader --operation Read --operation DescribeConfigs --topic weir.calls
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-reader --operation Read --operation DescribeConfigs --topic weir.samples
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-reader --operation Read --operation DescribeConfigs --topic weir.progress
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-reader --operation Read --operation DescribeConfigs --topic weir.alerts
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-reader --operation Read --operation DescribeConfigs --topic weir.decisions
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-reader --operation Read --operation DescribeConfigs --topic weir.outcomes
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-reader --operation Read --operation DescribeConfigs --topic weir.deadletter
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-reader --operation Describe --group weir-features
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-reader --operation Describe --group weir-actuator
