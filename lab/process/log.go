package process

import (
	"os"
	"time"
)

const (
	logLimit = 32 << 20 // bytes
	logCheck = 10 * time.Second
)

// logFile is where a program writes. A nil *logFile is nowhere.
type logFile struct{ *os.File }

func openLog(path string) (*logFile, error) {
	if path == "" {
		return nil, nil
	}
	// Appending, so that a program goes on at the beginning of a log that was emptied under it.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	l := &logFile{file}
	l.limit()
	return l, nil
}

// watch keeps the log within its limit until the program has ended.
func (l *logFile) watch(done <-chan struct{}) {
	if l == nil {
		return
	}
	defer l.close()
	ticker := time.NewTicker(logCheck)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			l.limit()
		}
	}
}

func (l *logFile) limit() {
	if info, err := l.Stat(); err == nil && info.Size() > logLimit {
		_ = l.Truncate(0) // the next check tries again
	}
}

func (l *logFile) close() {
	if l != nil {
		_ = l.Close() // the program has its own handle; nothing is written through this one
	}
}
