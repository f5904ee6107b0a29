package parts

import (
	"errors"
	"fmt"
	"syscall"
)

// mount puts a file system of limited size, in memory, on a folder. One that a killed process left there goes first.
func mount(dir string, mib int) error {
	if err := unmount(dir); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, size(mib)); err != nil {
		return fmt.Errorf("mount a disk of %d MiB on %s (only root may): %w", mib, dir, err)
	}
	return nil
}

func resize(dir string, mib int) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, size(mib)); err != nil {
		return fmt.Errorf("give the disk on %s %d MiB: %w", dir, mib, err)
	}
	return nil
}

// unmount takes a disk away. That there is none is no error.
func unmount(dir string) error {
	err := syscall.Unmount(dir, syscall.MNT_DETACH)
	if err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("unmount %s: %w", dir, err)
	}
	return nil
}

func size(mib int) string { return fmt.Sprintf("size=%dm", mib) }

// usedMiB is how much of a disk is in use, rounded up.
func usedMiB(dir string) (int, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("look at the disk on %s: %w", dir, err)
	}
	return int((int64(s.Blocks-s.Bfree)*s.Bsize + 1<<20 - 1) >> 20), nil
}
