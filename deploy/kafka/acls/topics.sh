#!/bin/sh
# The rights of topics: weir topics: makes topics, changes them, and moves them to another number of partitions.
# KAFKA is the address of a broker, ADMIN the file with the settings of somebody who may give rights.
set -eu
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-topics --operation Create --operation Describe --operation DescribeConfigs --operation Alter --operation AlterConfigs --operation Delete --operation Read --operation Write --topic weir.calls
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-topics --operation Create --operation Describe --operation DescribeConfigs --operation Alter --operation AlterConfigs --operation Delete --operation Read --operation Write --topic weir.samples
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-topics --operation Create --operation Describe --operation DescribeConfigs --operation Alter --operation AlterConfigs --operation Delete --operation Read --topic weir.progress
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-topics --operation Create --operation Describe --operation DescribeConfigs --operation Alter --operation AlterConfigs --operation Delete --operation Read --topic weir.alerts
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-topics --operation Create --operation Describe --operation DescribeConfigs --operation Alter --operation AlterConfigs --operation Delete --operation Read --topic weir.decisions
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-topics --operation Create --operation Describe --operation DescribeConfigs --operation Alter --operation AlterConfigs --operation Delete --operation Read --topic weir.outcomes
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-topics --operation Create --operation Describe --operation DescribeConfigs --operation Alter --operation AlterConfigs --operation Delete --operation Read --topic weir.deadletter
kafka-acls.sh --bootstrap-server "$KAFKA" --command-config "$ADMIN" --add --allow-principal User:weir-topics --operation Describe --operation Delete --operation Read --group weir-features
