package httpapi

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/tweiledger/tweiledger/domain"
)

// What docs/integrate.md says of limits and statuses is what the API does.
func TestIntegrateDoc(t *testing.T) {
	text, err := os.ReadFile("../../docs/integrate.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	for _, says := range []string{
		fmt.Sprintf("| `%s` | one event, structured |", mediaStructured),
		fmt.Sprintf("| %d KiB (%d) |", maxLineBytes>>10, statuses[codeTooLarge]),
		fmt.Sprintf("| `%s` | an outbox: many events, one answer |", mediaBatch),
		fmt.Sprintf("| %d,%03d events and %d MiB (%d, and nothing is recorded) |",
			maxBatchEvents/1000, maxBatchEvents%1000, maxBatchBytes>>20, statuses[codeTooLarge]),
		fmt.Sprintf("| `%s` | a stream without end", mediaLines),
		fmt.Sprintf("| %d KiB a line (one `%s`, the stream goes on) |", maxLineBytes>>10, domain.CodeInvalid),
		fmt.Sprintf("at most %.0f seconds, then it is %d.", maxWait.Seconds(), statuses[codePositionNotReached]),
		fmt.Sprintf("outcome `%s`, or %d |", domain.Failed, statuses[codeFailed]),
		fmt.Sprintf("at most %.0f minutes ahead of the ledger's clock", (domain.TariffLead / 3).Minutes()),
		fmt.Sprintf("at least %.0f minutes after it is recorded", domain.TariffLead.Minutes()),
	} {
		if !strings.Contains(strings.Join(strings.Fields(doc), " "), says) {
			t.Errorf("the page does not say %q", says)
		}
	}
	for _, c := range domain.Codes {
		status := (&problem{code: code(c)}).status()
		if c == domain.CodeUnknownEvent {
			// Only an operator's request names an event.
			status = (&problem{code: code(c), absent: true}).status()
		}
		if row := "\n| `" + string(c) + "` | " + strconv.Itoa(status) + " |"; !strings.Contains(doc, row) {
			t.Errorf("the page does not give %s the status %d", c, status)
		}
	}
}
