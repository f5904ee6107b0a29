//go:build !linux || !(amd64 || arm64)

package rename

import "context"

func kill(context.Context, int, Point) (Call, error) { return Call{}, ErrNotSupported }
