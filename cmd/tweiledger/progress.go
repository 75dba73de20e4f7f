package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// isTerminal reports whether a person sees what is written to w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// bar is a progress bar for a person at a terminal; elsewhere it shows nothing.
type bar struct {
	*progressbar.ProgressBar
	shown bool
}

// newBar returns a bar with rate and time left, counting up to total; -1 is for a total that is not known.
func newBar(notes io.Writer, what, unit string, total int64) bar {
	shown := isTerminal(notes)
	options := []progressbar.Option{
		progressbar.OptionSetWriter(notes),
		progressbar.OptionSetVisibility(shown),
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetElapsedTime(true),
		progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetWidth(20),
	}
	if unit == "bytes" {
		options = append(options, progressbar.OptionShowBytes(true))
	} else {
		options = append(options, progressbar.OptionShowIts(), progressbar.OptionSetItsString(unit))
	}
	return bar{progressbar.NewOptions64(total, options...), shown}
}

// end takes the bar away.
func (b bar) end() {
	if b.shown {
		// A terminal that is gone is nobody's loss.
		_ = b.Clear()
		_ = b.Exit()
	}
}
