package main

import (
	"encoding/json"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// engagement is a line of the outbox: what the platform wrote down in the same transaction as its own change. It never
// changes: each try sends the same source, id, time, type and data.
type engagement struct {
	Source string          `json:"source"`
	ID     string          `json:"id"`
	Time   time.Time       `json:"time"`
	Type   string          `json:"type"`
	Data   json.RawMessage `json:"data"`
}

// event returns the engagement as a CloudEvent. The SDK's own client would give an event without id or time new ones,
// other ones in each try; here they are the outbox's or it is an error.
func (e *engagement) event() (cloudevents.Event, error) {
	event := cloudevents.NewEvent()
	event.SetSource(e.Source)
	event.SetID(e.ID)
	event.SetTime(e.Time)
	event.SetType(e.Type)
	// As a json.RawMessage, not as []byte: the SDK would send bytes as data_base64, which the ledger does not take.
	if err := event.SetData(cloudevents.ApplicationJSON, e.Data); err != nil {
		return event, fmt.Errorf("data: %w", err)
	}
	return event, event.Validate()
}
