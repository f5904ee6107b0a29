package embedded

import (
	"fmt"
	"syscall"
	"unsafe"

	"github.com/ebitengine/purego"
)

// signalHandlers are the Go runtime's handlers of the signals that libchdb touches. Told to install none of
// its own, the library still resets these to the default, once at that call and again at every connect; a nil
// dereference would then end the process without a trace. So they are saved before the first call and put
// back after each that resets them. The snapshot is taken once, not around each call: two connects at the
// same time would otherwise save each other's defaults.
type signalHandlers struct {
	sigaction func(sig int32, act, old unsafe.Pointer) int32
	saved     [8]struct {
		signal int32
		action [sigactionSize]byte
	}
}

// sigactionSize holds a struct sigaction of every C library in use (152 bytes with glibc, 16 on macOS).
const sigactionSize = 256

func saveSignalHandlers() (signalHandlers, error) {
	var h signalHandlers
	sym, err := purego.Dlsym(purego.RTLD_DEFAULT, "sigaction")
	if err != nil {
		return h, fmt.Errorf("find sigaction: %w", err)
	}
	purego.RegisterFunc(&h.sigaction, sym)
	for i, s := range [len(h.saved)]syscall.Signal{
		syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGILL, syscall.SIGBUS,
		syscall.SIGSYS, syscall.SIGFPE, syscall.SIGTSTP, syscall.SIGTRAP,
	} {
		h.saved[i].signal = int32(s)
		if h.sigaction(int32(s), nil, unsafe.Pointer(&h.saved[i].action)) != 0 {
			return h, fmt.Errorf("save handler of %v", s)
		}
	}
	return h, nil
}

func (h *signalHandlers) restore() {
	for i := range h.saved {
		h.sigaction(h.saved[i].signal, unsafe.Pointer(&h.saved[i].action), nil)
	}
}
