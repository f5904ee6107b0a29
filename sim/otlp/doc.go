// Package otlp turns what a simulated mesh reports into OTLP requests, with the attributes that docs/formats/otlp.md lists. The same
// records give the same requests.
package otlp
