package controlplane

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/weirmesh/weir/lab/process"
	"github.com/weirmesh/weir/lab/toolbox"
)

func (c *ControlPlane) apiReady() probe { return answers(c.client, c.Rest.Host+"/readyz") }

// giveAddresses starts to look after the addresses of pods.
func (c *ControlPlane) giveAddresses() error {
	config, err := c.config(addressesUser)
	if err != nil {
		return err
	}
	a, err := newAddresses(config, c.plan.Logger)
	if err != nil {
		return err
	}
	c.background(func() { a.run(c.work) })
	return nil
}

// background runs work in a goroutine that Stop waits for.
func (c *ControlPlane) background(work func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped {
		c.working.Go(work)
	}
}

// keep starts a part.
func (c *ControlPlane) keep(spec process.Spec) *process.Kept {
	kept := process.Keep(c.life, spec, c.plan.Mark, c.happened)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parts = append(c.parts, kept)
	return kept
}

// happened writes down what became of a part.
func (c *ControlPlane) happened(e process.Event) {
	switch {
	case !e.Ended:
		c.plan.Logger.Info("Started part", "part", e.Name, "pid", e.Pid)
		if e.Name == apiServer {
			c.background(c.renewKwok)
		}
	case e.Pause > 0:
		c.plan.Logger.Warn("Lost part", "part", e.Name, "pid", e.Pid, "err", e.Err, "again_in", e.Pause)
	default:
		c.plan.Logger.Info("Stopped part", "part", e.Name, "pid", e.Pid)
	}
}

// renewKwok starts kwok again when the API server is back: what it could not write while that was away it has forgotten, and only looks
// again at objects that change.
func (c *ControlPlane) renewKwok() {
	api, kwok := c.part(apiServer), c.part(toolbox.Kwok)
	if api == nil || kwok == nil { // the first start
		return
	}
	if await(c.work, api, c.apiReady()) == nil {
		_ = kwok.Restart(grace) // killed or not, it starts again
	}
}

func (c *ControlPlane) part(name string) *process.Kept {
	for _, p := range c.Processes() {
		if p.Name() == name {
			return p
		}
	}
	return nil
}

// Processes returns the parts, in the order of their start.
func (c *ControlPlane) Processes() []*process.Kept {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.parts)
}

// grace is how long a part may take to end. Nothing that they would write then is read again.
const grace = 2 * time.Second

// Stop ends all parts, clients before servers, and returns when they are gone. When ctx ends they are killed. It may be called again.
func (c *ControlPlane) Stop(ctx context.Context) {
	defer context.AfterFunc(ctx, c.end)()
	c.mu.Lock()
	c.stopped = true
	c.mu.Unlock()
	c.idle()
	c.working.Wait()
	parts := c.Processes()
	var clients sync.WaitGroup
	for _, p := range parts[min(2, len(parts)):] {
		clients.Go(func() { _ = p.Stop(grace) })
	}
	clients.Wait()
	for _, p := range slices.Backward(parts[:min(2, len(parts))]) {
		_ = p.Stop(grace)
	}
	c.end()
}
