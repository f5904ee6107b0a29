// Package embedded runs the ClickHouse engine as a library behind ClickHouse's own HTTP interface, in a
// supervised child process.
//
// It has three layers, each usable without the one above it:
//
//   - Engine and Session wrap libchdb, loaded at run time without cgo. One process has one engine and one
//     data directory; sessions are cheap (half a millisecond) and run in parallel, one statement each.
//   - Server is an http.Handler that speaks ClickHouse's HTTP protocol, so that stock clients work unchanged.
//     Every request gets a session of its own, so no setting or database leaks from one request to the next;
//     the number of sessions is bounded, writers apart from readers.
//   - Serve is the main function of the child process, Child its supervisor. The supervisor holds the
//     listening socket, so the address outlives any crash of the engine; requests that arrive while it
//     restarts wait in the socket's backlog.
//
// The engine lives in a child process because a crash in it (or the out-of-memory killer) must not take the
// rest with it, and because libchdb cannot change its data directory within a process.
//
// How answers leave the engine: the result of a query is written with INTO OUTFILE into a pipe of this very
// process. The library's own streaming calls make every chunk a document with its own header, which is wrong
// for most formats; through the pipe every format is one document and nothing is buffered whole.
//
// How data enters it: the body of an INSERT goes into a scratch file first and is read with FROM INFILE (or
// file(), for input()) only once it has arrived completely. A client that dies half-way inserts nothing, and
// one Arrow record batch becomes exactly one part per partition.
package embedded
