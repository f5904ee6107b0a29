package scenario

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/weirmesh/weir/internal/strict"
	"github.com/weirmesh/weir/sim/mesh"
)

// MaxBytes is the longest scenario file that is read.
const MaxBytes = 1 << 20

// document is a scenario as a file has it. Keys that a file leaves out keep what the preset says.
type document struct {
	Seed      uint64         `yaml:"seed"`
	Preset    Preset         `yaml:"preset"`
	Healthy   bool           `yaml:"healthy"`
	Name      string         `yaml:"name"`
	Start     time.Time      `yaml:"start"`
	Length    time.Duration  `yaml:"length"`
	Cluster   string         `yaml:"cluster"`
	Namespace string         `yaml:"namespace"`
	Load      load           `yaml:"load"`
	Services  []mesh.Service `yaml:"services"`
	Events    []mesh.Event   `yaml:"events"`
	Faults    []mesh.Fault   `yaml:"faults"`
}

// load adds to the mesh's load what only a file has.
type load struct {
	Shape     Shape   `yaml:"shape"`
	Rates     string  `yaml:"rates"`
	Scale     float64 `yaml:"scale"`
	mesh.Load `yaml:",inline"`
}

// Shape is a short name for a form of the load.
type Shape string

// The shapes.
const (
	Daily  Shape = "daily"  // a curve over each day, see mesh.Curve
	Weekly Shape = "weekly" // the same, with quieter weekends
	Flat   Shape = "flat"   // always the same
	Bursty Shape = "bursty" // always the same, but for bursts
)

// Decode reads a scenario. Text that says nothing is Default(1). A file with services of its own has none of the preset's events and
// faults.
func Decode(text []byte) (Scenario, error) {
	s, err := decode(text)
	if err != nil {
		return Scenario{}, fmt.Errorf("read scenario: %w", err)
	}
	if s.Rates.File != "" {
		return s, nil // what else is wrong can only be said when the series is there
	}
	_, err = s.Config()
	return s, err
}

func decode(text []byte) (Scenario, error) {
	root, err := strict.Parse(text, MaxBytes)
	if err != nil {
		return Scenario{}, err
	}
	if root == nil {
		root = &yaml.Node{Kind: yaml.MappingNode}
	}
	if err := strict.Check(root, reflect.TypeFor[document]()); err != nil {
		return Scenario{}, err
	}
	head := document{Seed: 1, Preset: ShopPreset}
	if err := root.Decode(&head); err != nil {
		return Scenario{}, err
	}
	base, err := preset(head.Preset, head.Seed)
	if err != nil {
		return Scenario{}, err
	}
	doc := documentOf(base)
	if err := doc.read(root); err != nil {
		return Scenario{}, err
	}
	return doc.scenario(), nil
}

func preset(name Preset, seed uint64) (Scenario, error) {
	switch name {
	case ShopPreset:
		return Default(seed), nil
	case SinglePreset:
		return Single(seed), nil
	}
	return Scenario{}, fmt.Errorf("preset: %q is neither %s nor %s", name, ShopPreset, SinglePreset)
}

func documentOf(s Scenario) document {
	return document{
		Seed: s.Seed, Preset: s.Preset, Healthy: s.Healthy, Name: s.Mesh.Name, Start: s.Mesh.Start, Length: s.Mesh.Length,
		Cluster: s.Mesh.Cluster, Namespace: s.Mesh.Namespace,
		Load:     load{Rates: s.Rates.File, Scale: s.Rates.Scale, Load: s.Mesh.Load},
		Services: s.Mesh.Services, Events: s.Mesh.Events, Faults: s.Mesh.Faults,
	}
}

func (d document) scenario() Scenario {
	return Scenario{
		Seed: d.Seed, Preset: d.Preset, Healthy: d.Healthy, Rates: Rates{File: d.Load.Rates, Scale: d.Load.Scale},
		Mesh: mesh.Config{
			Name: d.Name, Start: d.Start.UTC(), Length: d.Length, Cluster: d.Cluster, Namespace: d.Namespace, Load: d.Load.Load,
			Services: d.Services, Events: d.Events, Faults: d.Faults,
		},
	}
}

// read puts what the file says over what the preset says.
func (d *document) read(root *yaml.Node) error {
	services, events, faults := find(root, "services"), find(root, "events"), find(root, "faults")
	preset := *d
	if services != nil {
		preset.Events, preset.Faults = nil, nil
	}
	if err := d.reshape(find(root, "load")); err != nil {
		return err
	}
	if err := root.Decode(d); err != nil {
		return err
	}
	d.Services, d.Events, d.Faults = preset.Services, preset.Events, preset.Faults
	if d.Load.Rates != "" {
		d.untimed(root)
	}
	if !(d.Load.Scale > 0 && d.Load.Scale < 1e6) {
		return fmt.Errorf("load.scale: %v cannot be", d.Load.Scale)
	}
	var errs [3]error
	if services != nil {
		d.Services, errs[0] = items(services, defaultService, versionsAndCalls)
	}
	if d.Events = fitting(d.Events, d.Length); events != nil {
		d.Events, errs[1] = items(events, func() mesh.Event { return mesh.Event{} }, nil)
	}
	if faults != nil {
		d.Faults, errs[2] = items(faults, defaultFault, nil)
	}
	return errors.Join(errs[:]...)
}

// untimed leaves to a recorded series what the file does not say about time.
func (d *document) untimed(root *yaml.Node) {
	if find(root, "start") == nil {
		d.Start = time.Time{}
	}
	if find(root, "length") == nil {
		d.Length = 0
	}
}

// fitting are a preset's events that happen in a run of another length.
func fitting(events []mesh.Event, length time.Duration) []mesh.Event {
	var kept []mesh.Event
	for _, e := range events {
		if e.From < length {
			kept = append(kept, e)
		}
	}
	return kept
}

// reshape applies the load's shape, before the keys beside it refine it.
func (d *document) reshape(n *yaml.Node) error {
	var head load
	if n == nil {
		return nil
	}
	if err := n.Decode(&head); err != nil {
		return err
	}
	l := &d.Load.Load
	workdays, week := [7]float64{1, 1, 1, 1, 1, 1, 1}, [7]float64{1, 1, 1, 1, 1, 0.7, 0.6}
	switch head.Shape {
	case "":
	case Daily:
		l.Daily, l.Weekly, l.Bursts = 0.87, workdays, mesh.Bursts{}
	case Weekly:
		l.Daily, l.Weekly, l.Bursts = 0.87, week, mesh.Bursts{}
	case Flat:
		l.Daily, l.Weekly, l.Growth, l.Bursts = 0, workdays, 0, mesh.Bursts{}
	case Bursty:
		l.Daily, l.Weekly, l.Growth, l.Bursts = 0, workdays, 0, mesh.Bursts{Factor: 3, Length: 2 * time.Minute, Every: 10 * time.Minute}
	default:
		return fmt.Errorf("line %d: load.shape: %q is none of %s, %s, %s, %s", n.Line, head.Shape, Daily, Weekly, Flat, Bursty)
	}
	return nil
}

// items reads a list whose items have defaults of their own; more reads the lists inside an item.
func items[T any](list *yaml.Node, base func() T, more func(*yaml.Node, *T) error) ([]T, error) {
	var all []T
	for _, n := range list.Content {
		item := base()
		if err := n.Decode(&item); err != nil {
			return nil, err
		}
		if more != nil {
			if err := more(n, &item); err != nil {
				return nil, err
			}
		}
		all = append(all, item)
	}
	return all, nil
}

func versionsAndCalls(n *yaml.Node, s *mesh.Service) (err error) {
	s.Versions = []mesh.Version{defaultVersion()}
	if list := find(n, "versions"); list != nil {
		if s.Versions, err = items(list, defaultVersion, nil); err != nil {
			return err
		}
	}
	if list := find(n, "calls"); list != nil {
		s.Calls, err = items(list, defaultCall, nil)
	}
	return err
}

// find is the value of a key in a mapping; nil if there is none.
func find(n *yaml.Node, key string) *yaml.Node {
	for i := 0; n != nil && n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key && !strict.IsNull(n.Content[i+1]) {
			return n.Content[i+1]
		}
	}
	return nil
}
