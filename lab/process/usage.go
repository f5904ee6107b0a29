package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor time in /proc: USER_HZ is 100 on every Linux that the lab runs on.
const tick = time.Second / 100

// CPU returns the processor time that a process has used, in all of its threads.
func CPU(pid int) (time.Duration, error) {
	fields, err := stat(pid)
	if err != nil {
		return 0, fmt.Errorf("processor time of %d: %w", pid, err)
	}
	var sum time.Duration
	for _, field := range []int{statUser, statSystem} {
		ticks, err := strconv.ParseInt(fields[field], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("processor time of %d: %w", pid, err)
		}
		sum += time.Duration(ticks) * tick
	}
	return sum, nil
}

// RSS returns how many bytes of a process are in memory.
func RSS(pid int) (uint64, error) {
	line, err := os.ReadFile(path(pid, "statm"))
	if err != nil {
		return 0, fmt.Errorf("memory of %d: %w", pid, err)
	}
	fields := strings.Fields(string(line))
	if len(fields) < 2 {
		return 0, fmt.Errorf("memory of %d: %q", pid, line)
	}
	pages, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("memory of %d: %w", pid, err)
	}
	return pages * uint64(os.Getpagesize()), nil
}
