package recording

import "strings"

// workloadOf is the pod name without the two suffixes that Kubernetes generates for the pods of a Deployment
// (name-<template hash>-<pod>) or a CronJob (name-<scheduled minute>-<pod>). A name without both keeps its whole
// self: cutting a real part off would merge different workloads.
//
// Kubernetes writes the hash of a Deployment's template in bcdf456789 (8 to 10 characters on all 38 pods of the two
// Nezha days) and the pod's own five in bcdfghjklmnpqrstvwxz2456789. Older versions wrote decimal hashes, and people
// who make up pod names use hexadecimal, so we accept the wider alphabets; the hash, which must not read as a word,
// carries the proof. A StatefulSet's pod (name-0) and a DaemonSet's (name-x7k2p) have fewer than two.
func workloadOf(pod string) string {
	rest, own, ok := cutLast(pod)
	if !ok || len(own) != 5 || strings.Trim(own, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return pod
	}
	workload, hash, ok := cutLast(rest)
	if !ok || workload == "" || !isHash(hash) {
		return pod
	}
	return workload
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// isHash: 5 to 10 hexadecimal characters with a digit among them, or without any vowel.
func isHash(s string) bool {
	return len(s) >= 5 && len(s) <= 10 &&
		strings.Trim(s, "0123456789abcdef") == "" &&
		(strings.ContainsAny(s, "0123456789") || !strings.ContainsAny(s, "ae"))
}
