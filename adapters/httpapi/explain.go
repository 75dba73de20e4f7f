package httpapi

import (
	"context"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

func (a *API) explainer(ctx context.Context, s *projections.Snapshot) *projections.Explainer {
	return projections.NewExplainer(ctx, a.Log, s)
}

// linked lists the events that an event has to do with, under their names; the zero id is none.
func linked(e *projections.Explained) [4]struct {
	name string
	id   domain.EventID
} {
	return [4]struct {
		name string
		id   domain.EventID
	}{
		{"taken_back_by", e.Links.TakenBackBy}, {"made_good_by", e.Links.MadeGoodBy},
		{"takes_back", e.Links.TakesBack}, {"origin", e.Origin},
	}
}

// appendExplained appends the event with its place, and what explains it. Its line is as the log holds it, which is JSON.
func appendExplained(dst []byte, e *projections.Explained) []byte {
	dst = appendPlace(append(dst, '{'), e.Place)
	dst = append(append(dst, `,"event":`...), e.Canonical...)
	dst = e.Explanation.AppendMembers(append(dst, `,"explanation":{`...))
	return append(appendLinks(dst, e), `}}`...)
}

func appendLinks(dst []byte, e *projections.Explained) []byte {
	for _, link := range linked(e) {
		if link.id != (domain.EventID{}) {
			dst = append(append(append(dst, `,"`...), link.name...), `":`...)
			dst = appendText(dst, link.id.String())
		}
	}
	return dst
}
