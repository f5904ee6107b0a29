// Package columns is the one place where a column of Weir gets its name, type and unit: the Arrow schemas of messages and of partial
// windows, and the code that builds and reads them.
//
// A message is one self-contained Arrow IPC stream with one record batch. Decoders check every bound and never panic on what they
// are given; what they return is owned by the caller and shares no memory with the input.
package columns
