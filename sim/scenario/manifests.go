package scenario

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"text/template"

	"github.com/weirmesh/weir/sim/mesh"
)

// Manifests are the Kubernetes and Istio objects of a mesh as they are at the end of its run, as YAML by file name: a Deployment for each
// version; a Service for each service, and where it has several versions a DestinationRule and a VirtualService with their weights.
func Manifests(cfg mesh.Config) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, s := range cfg.Services {
		view := newView(cfg, s)
		if err := view.check(); err != nil {
			return nil, fmt.Errorf("manifests of %s: %w", s.Name, err)
		}
		for _, v := range view.Versions {
			one := view
			one.Version = v
			if err := render(files, v.Deployment+".yaml", deploymentText, one); err != nil {
				return nil, err
			}
		}
		if err := render(files, s.Name+"-service.yaml", serviceText, view); err != nil {
			return nil, err
		}
		if len(view.Versions) > 1 {
			if err := render(files, s.Name+"-routes.yaml", routesText, view); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

// serviceView is what a template sees.
type serviceView struct {
	Name, Namespace string
	Versions        []versionView
	Version         versionView // of a Deployment
}

type versionView struct {
	Name, Deployment             string
	Replicas, CPU, Limit, Weight int
}

func newView(cfg mesh.Config, s mesh.Service) serviceView {
	view := serviceView{Name: s.Name, Namespace: cfg.Namespace}
	shares := percent(s.Versions)
	for i, v := range s.Versions {
		view.Versions = append(view.Versions, versionView{
			Name: v.Name, Deployment: mesh.Deployment(s.Name, v.Name), Replicas: cfg.ReplicasAtEnd(s.Name, v.Name),
			CPU: max(1, v.CPU/2), Limit: max(1, v.CPU), Weight: shares[i],
		})
	}
	return view
}

// percent turns weights into whole shares that add up to 100, as Istio wants them.
func percent(versions []mesh.Version) []int {
	sum, given := 0.0, 0
	for _, v := range versions {
		sum += v.Weight
	}
	shares, largest := make([]int, len(versions)), 0
	for i, v := range versions {
		shares[i] = int(math.Floor(v.Weight / sum * 100))
		given += shares[i]
		if v.Weight > versions[largest].Weight {
			largest = i
		}
	}
	shares[largest] += 100 - given
	return shares
}

// check holds names to what Kubernetes takes; it also keeps them from meaning something in YAML.
func (v serviceView) check() error {
	label := regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)
	names := []string{v.Name, v.Namespace}
	for _, one := range v.Versions {
		names = append(names, one.Deployment)
	}
	for _, name := range names {
		if !label.MatchString(name) {
			return fmt.Errorf("%q is no name for Kubernetes: small letters, digits and dashes, at most 63", name)
		}
	}
	return nil
}

func render(files map[string][]byte, name, text string, view serviceView) error {
	t, err := template.New(name).Parse(text)
	if err != nil {
		return fmt.Errorf("read template of %s: %w", name, err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, view); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	files[name] = out.Bytes()
	return nil
}

const deploymentText = `# {{.Name}} {{.Version.Name}} as the simulated mesh runs it.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{.Version.Deployment}}
  namespace: {{.Namespace}}
  labels:
    app: {{.Name}}
    version: {{.Version.Name}}
    app.kubernetes.io/name: {{.Name}}
spec:
  replicas: {{.Version.Replicas}}
  selector:
    matchLabels:
      app: {{.Name}}
      version: {{.Version.Name}}
  template:
    metadata:
      labels:
        app: {{.Name}}
        version: {{.Version.Name}}
        app.kubernetes.io/name: {{.Name}}
    spec:
      containers:
        - name: {{.Name}}
          image: registry.example/{{.Namespace}}/{{.Name}}:{{.Version.Name}}
          ports:
            - containerPort: 8080
          resources:
            requests:
              cpu: {{.Version.CPU}}m
            limits:
              cpu: {{.Version.Limit}}m
`

const serviceText = `# All versions of {{.Name}}.
apiVersion: v1
kind: Service
metadata:
  name: {{.Name}}
  namespace: {{.Namespace}}
  labels:
    app: {{.Name}}
    app.kubernetes.io/name: {{.Name}}
spec:
  selector:
    app: {{.Name}}
  ports:
    - name: http
      port: 80
      targetPort: 8080
`

const routesText = `# How the calls of {{.Name}} are shared among its versions.
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: {{.Name}}
  namespace: {{.Namespace}}
spec:
  host: {{.Name}}
  subsets:
{{- range .Versions}}
    - name: {{.Name}}
      labels:
        version: {{.Name}}
{{- end}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: {{.Name}}
  namespace: {{.Namespace}}
spec:
  hosts:
    - {{.Name}}
  http:
    - route:
{{- $host := .Name}}
{{- range .Versions}}
        - destination:
            host: {{$host}}
            subset: {{.Name}}
          weight: {{.Weight}}
{{- end}}
`
