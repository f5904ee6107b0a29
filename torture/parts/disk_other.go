//go:build !linux

package parts

import "errors"

var errNoDisk = errors.New("a disk of limited size needs Linux")

func mount(string, int) error  { return errNoDisk }
func resize(string, int) error { return errNoDisk }
func unmount(string) error     { return nil }

func usedMiB(string) (int, error) { return 0, errNoDisk }
