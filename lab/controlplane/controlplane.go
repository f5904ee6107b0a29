package controlplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/weirmesh/weir/lab/loopback"
	"github.com/weirmesh/weir/lab/process"
	"github.com/weirmesh/weir/lab/toolbox"
)

// Config is what a control plane is made of.
type Config struct {
	Tools    toolbox.Tools
	Run      string // absolute folder for data, keys and logs; it exists
	Mark     string // of every process, see package process
	Network  loopback.Network
	Cluster  string        // the cluster's name, in Istio's eyes
	StartLag time.Duration // from a pod that serves to a pod that is Ready; a pod's annotation lab.weir.dev/start-lag goes first
	Logger   *slog.Logger
}

// ControlPlane is one that runs.
type ControlPlane struct {
	Kubeconfig string       // file for kubectl, of an administrator
	Rest       *rest.Config // the same for client-go; copy it before changing it
	XDS        string       // host:port of istiod's discovery service, plaintext
	Istiod     string       // URL of its debug interface

	plan    plan
	client  *http.Client
	life    context.Context // of the parts; ends with the last step of Stop
	end     context.CancelFunc
	working sync.WaitGroup // goroutines of this package, which end with work
	work    context.Context
	idle    context.CancelFunc

	mu      sync.Mutex
	parts   []*process.Kept // in the order of their start: etcd, the API server, its clients
	stopped bool            // no more work begins
}

// Start brings up everything and returns when it is ready, some ten seconds later. ctx bounds the start alone: the parts live until Stop.
// progress is told what has become ready, one call at a time; it may be nil.
func Start(ctx context.Context, config Config, progress func(step string)) (*ControlPlane, error) {
	c := &ControlPlane{plan: plan{Config: config}}
	c.life, c.end = context.WithCancel(context.WithoutCancel(ctx))
	c.work, c.idle = context.WithCancel(c.life)
	var telling sync.Mutex
	tell := func(step string) {
		telling.Lock()
		defer telling.Unlock()
		if progress != nil {
			progress(step)
		}
	}
	if err := c.start(ctx, tell); err != nil {
		c.Stop(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("start the control plane: %w", err)
	}
	return c, nil
}

// start follows the picture in the package comment from left to right.
func (c *ControlPlane) start(ctx context.Context, tell func(string)) error {
	if err := c.prepare(ctx); err != nil {
		return err
	}
	// The API server waits for etcd by itself.
	etcd, api := c.keep(c.plan.etcd()), c.keep(c.plan.apiServer())
	if err := await(ctx, etcd, answers(http.DefaultClient, c.plan.url(c.plan.ports.Etcd)+"/readyz")); err != nil {
		return err
	}
	tell(etcd.Name())
	if err := await(ctx, api, c.apiReady()); err != nil {
		return err
	}
	tell(api.Name())

	objects, err := dynamic.NewForConfig(c.Rest)
	if err != nil {
		return err
	}
	clients, ctx := errgroup.WithContext(ctx)
	clients.Go(func() error { return c.startMesh(ctx, objects, tell) })
	part := func(spec process.Spec, ready probe) {
		clients.Go(func() error { return c.startPart(ctx, spec, ready, tell) })
	}
	ports := c.plan.ports
	part(c.plan.controllerManager(), answers(c.client, "https://"+at(ports.ControllerManager)+"/healthz"))
	part(c.plan.scheduler(), answers(c.client, "https://"+at(ports.Scheduler)+"/healthz"))
	part(c.plan.kwok(), answers(http.DefaultClient, c.plan.url(ports.Kwok)+"/healthz"))
	return errors.Join(c.giveAddresses(), clients.Wait())
}

func (c *ControlPlane) startPart(ctx context.Context, spec process.Spec, ready probe, tell func(string)) error {
	if err := await(ctx, c.keep(spec), ready); err != nil {
		return err
	}
	tell(spec.Name)
	return nil
}

// startMesh starts istiod when it can read its objects: if it cannot, it tries again only after seconds.
func (c *ControlPlane) startMesh(ctx context.Context, objects dynamic.Interface, tell func(string)) error {
	if err := makeNamespace(ctx, objects, istioNamespace); err != nil {
		return err
	}
	tools := c.plan.Tools
	if err := applyDefinitions(ctx, objects, tools.Share(toolbox.IstioCRDs), tools.Share(toolbox.GatewayAPICRDs)); err != nil {
		return err
	}
	tell("custom resource definitions")
	return c.startPart(ctx, c.plan.istiod(), both(answers(http.DefaultClient, c.Istiod+"/ready"), listens(c.XDS)), tell)
}

// prepare makes what the parts read.
func (c *ControlPlane) prepare(ctx context.Context) error {
	p := &c.plan
	if err := p.files(); err != nil {
		return err
	}
	var err error
	if p.ports, err = openPorts(ctx, filepath.Join(p.Run, "ports.json")); err != nil {
		return err
	}
	api, err := apiAddress(p.Network.Services)
	if err != nil {
		return err
	}
	p.pki, err = newPKI(filepath.Join(p.Run, "pki"), time.Now(), api, "https://"+at(p.ports.APIServer),
		administrator, addressesUser, toolbox.ControllerManager, toolbox.Scheduler, toolbox.Kwok, istiod)
	if err != nil {
		return err
	}
	return c.connect()
}

// connect makes the clients of this package and of whoever uses it.
func (c *ControlPlane) connect() error {
	c.Kubeconfig = c.plan.pki.kubeconfig(administrator)
	c.XDS, c.Istiod = at(c.plan.ports.IstiodXDS), c.plan.url(c.plan.ports.IstiodHTTP)
	var err error
	if c.Rest, err = c.config(administrator); err != nil {
		return err
	}
	c.client, err = rest.HTTPClientFor(c.Rest)
	return err
}

// config is what client-go needs to speak as a user. The limits of client-go are lifted: the API server is here for the lab alone.
func (c *ControlPlane) config(user string) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.plan.pki.kubeconfig(user))
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig of %s: %w", user, err)
	}
	config.QPS, config.Burst = 500, 1000
	return config, nil
}
