// Package tap stands between what the mesh sends and Weir's collectors, where a mesh has a network. It passes OTLP/gRPC through as bytes,
// unread: requests, metadata, answers and errors arrive as they were sent. On the way it counts who sent how much, can refuse a sender, as
// a broken network would, and can record what goes by in the form that `weir replay --format otlp-json` reads.
package tap
