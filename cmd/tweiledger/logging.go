package main

import (
	"io"
	"log/slog"
)

// logging is how a serving command logs.
type logging struct {
	LogFormat string `enum:"text,json" default:"text" help:"How to log on standard error: text or json (${default} by default)."`
	LogLevel  string `enum:"debug,info,warn,error" default:"${log_level}" help:"What to log: debug, info, warn or error (${default} by default). A request is one line at info, those that only ask how the service is at debug."`
}

// apply makes what is logged from now on go to w.
func (l *logging) apply(w io.Writer) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.LogLevel)); err != nil {
		return err
	}
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewTextHandler(w, options)
	if l.LogFormat == "json" {
		handler = slog.NewJSONHandler(w, options)
	}
	slog.SetDefault(slog.New(handler))
	return nil
}
