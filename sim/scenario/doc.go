// Package scenario says which mesh is simulated and what happens to it: a built-in demo, or a YAML file in which every key is optional.
//
// It promises: Decode never panics and names the line of whatever is wrong; the same seed gives the same scenario. It reads no file itself:
// a recorded series that a scenario names is opened by the function that its caller gives to Open.
package scenario
