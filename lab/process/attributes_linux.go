package process

import "syscall"

// attributes makes a process group, so that what the terminal sends to the lab's group does not reach its parts, and ties the process to
// the thread that starts it.
func attributes() (*syscall.SysProcAttr, error) {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}, nil
}
