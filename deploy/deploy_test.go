// Package deploy holds no code: these tests check what is deployed.
package deploy_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/weirmesh/weir/internal/config"
)

// kinds are the API types that the manifests may use.
func kinds() map[string]func() any {
	return map[string]func() any{
		"v1/Namespace":                                    func() any { return &corev1.Namespace{} },
		"v1/ServiceAccount":                               func() any { return &corev1.ServiceAccount{} },
		"batch/v1/Job":                                    func() any { return &batchv1.Job{} },
		"v1/Service":                                      func() any { return &corev1.Service{} },
		"apps/v1/Deployment":                              func() any { return &appsv1.Deployment{} },
		"policy/v1/PodDisruptionBudget":                   func() any { return &policyv1.PodDisruptionBudget{} },
		"networking.k8s.io/v1/NetworkPolicy":              func() any { return &networkingv1.NetworkPolicy{} },
		"rbac.authorization.k8s.io/v1/ClusterRole":        func() any { return &rbacv1.ClusterRole{} },
		"rbac.authorization.k8s.io/v1/ClusterRoleBinding": func() any { return &rbacv1.ClusterRoleBinding{} },
	}
}

// documents yields every object of the manifests.
func documents(t *testing.T) map[string][]any {
	t.Helper()
	files, err := filepath.Glob("kubernetes/[0-9]*.yaml")
	files = append(files, filepath.Join("kubernetes", "prepare", "jobs.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	all := map[string][]any{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
		for {
			doc, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			var meta metav1.TypeMeta
			if err := yaml.Unmarshal(doc, &meta); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			make, known := kinds()[meta.APIVersion+"/"+meta.Kind]
			if !known {
				t.Errorf("%s: %s/%s is not a kind this test knows", file, meta.APIVersion, meta.Kind)
				continue
			}
			object := make()
			if err := yaml.UnmarshalStrict(doc, object); err != nil {
				t.Errorf("%s: %s: %v", file, meta.Kind, err)
			}
			all[meta.Kind] = append(all[meta.Kind], object)
		}
	}
	return all
}

func TestManifestsAreWhatTheAPIKnows(t *testing.T) {
	all := documents(t)
	if n := len(all["Deployment"]); n != 5 {
		t.Errorf("%d Deployments, want one for each of 5 stages", n)
	}
	for _, object := range all["Deployment"] {
		d := object.(*appsv1.Deployment)
		pod := d.Spec.Template
		for key, value := range d.Spec.Selector.MatchLabels {
			if pod.Labels[key] != value {
				t.Errorf("%s selects %s=%s, its pods have %q", d.Name, key, value, pod.Labels[key])
			}
		}
		stage := strings.TrimPrefix(d.Name, "weir-")
		c := pod.Spec.Containers[0]
		if c.Args[0] != stage {
			t.Errorf("%s runs %v", d.Name, c.Args)
		}
		if !*pod.Spec.SecurityContext.RunAsNonRoot || !*c.SecurityContext.ReadOnlyRootFilesystem || *c.SecurityContext.AllowPrivilegeEscalation {
			t.Errorf("%s is not as restricted as it could be", d.Name)
		}
		volumes := map[string]bool{}
		for _, v := range pod.Spec.Volumes {
			volumes[v.Name] = true
		}
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] {
				t.Errorf("%s mounts %s, which is no volume", d.Name, m.Name)
			}
		}
	}
}

func TestNothingMayBeChangedInTheCluster(t *testing.T) {
	for _, object := range documents(t)["ClusterRole"] {
		for _, rule := range object.(*rbacv1.ClusterRole).Rules {
			for _, verb := range rule.Verbs {
				if verb != "get" && verb != "list" {
					t.Errorf("verb %s on %v: dry run only reads", verb, rule.Resources)
				}
			}
		}
	}
}

func TestConfigurationsAreValid(t *testing.T) {
	files, err := filepath.Glob("kubernetes/config/*.yaml")
	if err != nil || len(files) != 5 {
		t.Fatalf("%d configurations, want 5: %v", len(files), err)
	}
	for _, file := range append(files, "up.yaml", "kubernetes/prepare/admin.yaml") {
		if _, _, err := config.Load(config.Options{File: file}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if file != "up.yaml" { // which offers what excludes each other
			checkOffered(t, file)
		}
	}
}

// checkOffered loads a configuration with the settings that it offers in comments.
func checkOffered(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all := filepath.Join(t.TempDir(), "weir.yaml")
	offered := regexp.MustCompile(`(?m)^( +)# ([a-z_]+: )`).ReplaceAll(text, []byte("$1$2"))
	if err := os.WriteFile(all, offered, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := config.Load(config.Options{File: all}); err != nil {
		t.Errorf("%s with all that it offers: %v", file, err)
	}
}

// TestJobsAreRestricted wants of the jobs what the stages have: no right in the cluster, and a command that is there.
func TestJobsAreRestricted(t *testing.T) {
	jobs := documents(t)["Job"]
	if len(jobs) != 2 {
		t.Fatalf("%d jobs, want one for topics and one for the schema", len(jobs))
	}
	for _, object := range jobs {
		j := object.(*batchv1.Job)
		pod := j.Spec.Template.Spec
		c := pod.Containers[0]
		if !*pod.SecurityContext.RunAsNonRoot || !*c.SecurityContext.ReadOnlyRootFilesystem || *c.SecurityContext.AllowPrivilegeEscalation ||
			*pod.AutomountServiceAccountToken {
			t.Errorf("%s is not as restricted as it could be", j.Name)
		}
		if c.Args[0] != strings.TrimPrefix(j.Name, "weir-") || c.Args[1] != "apply" {
			t.Errorf("%s runs %v", j.Name, c.Args)
		}
	}
}
