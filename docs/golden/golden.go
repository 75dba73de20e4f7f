// Package golden holds one canonical line of each type of event, which the documents show.
package golden

import _ "embed"

// Events are the lines of events.ndjson. They are not to be changed.
//
//go:embed events.ndjson
var Events []byte
