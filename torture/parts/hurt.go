package parts

import (
	"context"
	"fmt"
	"syscall"
)

// Use says which binary of Weir a part is from its next start on.
func (c *Cluster) Use(name, binary string) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spec.Path = binary
	return nil
}

// Fill takes the room from the disk of a part, but for so many MiB. Grow gives it back.
func (c *Cluster) Fill(name string, spare int) error {
	dir, ok := c.disks[name]
	if !ok {
		return fmt.Errorf("%s has no disk of limited size", name)
	}
	const tries = 10 // what is written meanwhile may not fit
	var err error
	for range tries {
		var used int
		if used, err = usedMiB(dir); err != nil {
			return err
		}
		if err = resize(dir, used+max(1, spare)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("fill the disk of %s: %w", name, err)
}

// Keep lets Close copy what is on disks of limited size to folders beside them, NAME.kept.
func (c *Cluster) Keep() { c.keep = true }

// Dump ends a part with SIGQUIT: one of Weir's writes to its log what each goroutine waits for.
func (c *Cluster) Dump(name string) error { return c.signal(name, syscall.SIGQUIT) }

// Wait returns when a part that somebody else has killed is gone.
func (c *Cluster) Wait(ctx context.Context, name string) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	now := p.current()
	if now == nil {
		return nil
	}
	select {
	case <-now.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of %s: %w", name, context.Cause(ctx))
	}
}
