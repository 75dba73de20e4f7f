package httpapi

import (
	"strconv"
	"time"

	"github.com/tweiledger/tweiledger/projections"
)

// unreadyRebuild says how far the views are that are built, for who is told that those that serve are not ready.
func unreadyRebuild(b *projections.RebuildStatus) unreadiness {
	if b.Err != nil {
		return unreadiness{purposeRead, lackRebuildStopped, "others cannot be built: " + b.Err.Error()}
	}
	detail := "others are being built: " + strconv.FormatUint(b.Size, 10) + " events folded so far"
	if b.Waiting != nil {
		detail += ": " + b.Waiting.Error()
	}
	return unreadiness{purposeRead, lackRebuilding, detail}
}

// appendRebuild appends the member that tells of the views that are built beside the serving ones.
func appendRebuild(dst []byte, b *projections.RebuildStatus) []byte {
	dst = appendText(append(dst, `,"rebuild":{"reason":`...), b.Why)
	dst = appendText(append(dst, `,"since":`...), b.Since.UTC().Format(time.RFC3339))
	dst = strconv.AppendUint(append(dst, `,"size":`...), b.Size, 10)
	dst = appendText(append(dst, `,"position":`...), b.Position.String())
	dst = appendText(append(dst, `,"goal":`...), b.Goal.String())
	for _, stopped := range []struct {
		name string
		err  error
	}{{"waiting", b.Waiting}, {"stopped", b.Err}} {
		if stopped.err != nil {
			dst = appendText(append(append(append(dst, `,"`...), stopped.name...), `":`...), stopped.err.Error())
		}
	}
	return append(dst, '}')
}
