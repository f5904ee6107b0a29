package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// ErrNoLibrary says that the engine's shared library was not found.
var ErrNoLibrary = errors.New("clickhouse library not found")

// FindLibrary returns the path of libchdb. An explicit path is taken or refused, never replaced by another;
// without one the folders where `make clickhouse` and ClickHouse's own installer put it are looked through.
func FindLibrary(explicit string) (string, error) {
	candidates := []string{explicit}
	if explicit == "" {
		candidates = libraryCandidates()
	}
	for _, path := range candidates {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return filepath.Abs(path)
		}
	}
	return "", fmt.Errorf("%w: looked for %s; run `make clickhouse`, or give its path with --library or WEIR_CHDB_LIBRARY",
		ErrNoLibrary, strings.Join(candidates, ", "))
}

func libraryCandidates() []string {
	names := []string{"libchdb.so"}
	if runtime.GOOS == "darwin" {
		names = []string{"libchdb.dylib", "libchdb.so"}
	}
	var dirs []string
	if exe, err := os.Executable(); err == nil {
		dir := filepath.Dir(exe)
		dirs = append(dirs, dir, filepath.Join(dir, "..", "lib"))
	}
	dirs = append(dirs, "/usr/local/lib")
	var paths []string
	for _, dir := range dirs {
		for _, name := range names {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths
}

// library is the part of libchdb's C interface that this package uses. Pointers it returns point into memory
// of the library and stay valid until the matching destroy or close.
type library struct {
	connect func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	close   func(conn unsafe.Pointer)
	signals func(enabled int32)

	query func(conn unsafe.Pointer, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr,
		names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer
	destroy func(result unsafe.Pointer)

	resultError  func(result unsafe.Pointer) string
	buffer       func(result unsafe.Pointer) *byte
	length       func(result unsafe.Pointer) uintptr
	elapsed      func(result unsafe.Pointer) float64
	readRows     func(result unsafe.Pointer) uint64
	readBytes    func(result unsafe.Pointer) uint64
	writtenRows  func(result unsafe.Pointer) uint64
	writtenBytes func(result unsafe.Pointer) uint64

	handlers signalHandlers
}

func loadLibrary(path string) (*library, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	lib := &library{}
	for _, s := range []struct {
		name string
		fn   any
	}{
		{"chdb_connect", &lib.connect},
		{"chdb_close_conn", &lib.close},
		{"chdb_set_signal_handlers_enabled", &lib.signals},
		{"chdb_query_with_params_n", &lib.query},
		{"chdb_destroy_query_result", &lib.destroy},
		{"chdb_result_error", &lib.resultError},
		{"chdb_result_buffer", &lib.buffer},
		{"chdb_result_length", &lib.length},
		{"chdb_result_elapsed", &lib.elapsed},
		{"chdb_result_storage_rows_read", &lib.readRows},
		{"chdb_result_storage_bytes_read", &lib.readBytes},
		{"chdb_result_rows_written", &lib.writtenRows},
		{"chdb_result_bytes_written", &lib.writtenBytes},
	} {
		// RegisterLibFunc would panic on a library that is too old.
		sym, err := purego.Dlsym(handle, s.name)
		if err != nil {
			return nil, fmt.Errorf("load %s: symbol %s (26.7 or newer is needed): %w", path, s.name, err)
		}
		purego.RegisterFunc(s.fn, sym)
	}
	if lib.handlers, err = saveSignalHandlers(); err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	lib.signals(0)
	lib.handlers.restore()
	return lib, nil
}

// cString returns s as the bytes of a C string.
func cString(s string) *byte {
	b := append([]byte(s), 0)
	return &b[0]
}
