// Package schedule decides what is sent to the mesh and when: the rate over time, the arrivals, and what each request asks for.
//
// All of it is a pure function of the lab's load, its seed and what was changed when (Plan). Arrivals are a non-homogeneous Poisson
// process, by thinning (Lewis and Shedler 1979), which is exact: candidates come at the highest rate and are kept with the probability
// rate(t)/highest. What a fault adds is a process of its own beside the ordinary one, so that the ordinary requests are the same with
// the fault and without it; the sum of Poisson processes is one too.
package schedule
