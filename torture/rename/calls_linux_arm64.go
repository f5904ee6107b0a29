package rename

import "golang.org/x/sys/unix"

// paths returns which arguments of a system call are the old and the new path of a rename.
func paths(nr uint64) (old, renamed int, ok bool) {
	switch nr {
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		return 1, 3, true
	}
	return 0, 0, false
}
