// Package controlplane runs what a cluster with Istio runs on its control plane nodes, as processes of this machine: etcd, kube-apiserver,
// kube-controller-manager, kube-scheduler and istiod, and kwok in the place of kubelets.
//
//	etcd <- kube-apiserver <-+- kube-controller-manager   (pods for Deployments, endpoints for Services)
//	                         +- kube-scheduler            (nodes for pods)
//	                         +- addresses                 (addresses for pods; in this process)
//	                         +- kwok                      (nodes are Ready; pods are Ready while they serve, and go when they are deleted)
//	                         +- istiod <- xDS             (configuration for proxies)
//
// A pod turns Ready when its annotation lab.weir.dev/serving becomes "true": whoever runs the pod's processes sets it. Parts keep their
// ports for as long as the run folder exists, and each is started again when it ends.
package controlplane
