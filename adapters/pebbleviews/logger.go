package pebbleviews

import (
	"fmt"
	"log/slog"
	"os"
)

// logger hands Pebble's errors on. After a fatal one, such as a failed write of its log, nothing may run on: the
// process ends, and starts again from what is in the folder.
type logger struct{}

func (logger) Infof(string, ...any) {}

func (logger) Errorf(format string, args ...any) {
	slog.Error("views_storage", "error", fmt.Sprintf(format, args...))
}

func (logger) Fatalf(format string, args ...any) {
	slog.Error("views_storage_failed", "error", fmt.Sprintf(format, args...))
	os.Exit(1)
}
