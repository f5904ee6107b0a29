// Package collector is Weir's OpenTelemetry Collector: OTLP in, Weir's Kafka topics out.
//
//	otlp receiver -> memory_limiter -> weir exporter -> Kafka
//	      \_ weir_answers (middleware: partial success, end of waiting requests at stop) _/
//
// New builds one to run inside a process; Components and builder.yaml hold the same list for a binary made by the OpenTelemetry
// Collector Builder. Nothing is buffered between a request and Kafka: a request is acknowledged when Kafka holds it.
package collector
