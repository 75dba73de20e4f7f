package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/tweiledger/tweiledger/domain"
	"github.com/tweiledger/tweiledger/projections"
)

// getEvent serves GET /v1/events/{event}: an event, its place, and what explains it.
func (a *API) getEvent(w http.ResponseWriter, r *http.Request) error {
	text, err := pathText(r, "event")
	if err != nil {
		return err
	}
	id, err := domain.ParseEventID(text)
	if err != nil {
		return problemf(codeBadRequest, "event", "%v", err)
	}
	values, err := query(r, paramMinPosition)
	if err != nil {
		return err
	}
	return a.read(w, r, values, func(s *projections.Snapshot, dst []byte) ([]byte, error) {
		place, found, err := s.Event(id)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, &problem{code: code(domain.CodeUnknownEvent), absent: true, field: "event",
				detail: fmt.Sprintf("there is no event %s", id)}
		}
		e, err := a.explainer(r.Context(), s).Explain(place)
		if err != nil {
			return nil, err
		}
		return appendExplained(dst, e), nil
	})
}

// findMessage serves GET /v1/events?source=&id=: what became of a message.
func (a *API) findMessage(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, paramMinPosition, param{name: "source"}, param{name: "id"})
	if err != nil {
		return err
	}
	m := domain.Message{Source: values.Get("source"), ID: values.Get("id")}
	if err := checkText("source", m.Source, domain.MaxSourceBytes); err != nil {
		return err
	}
	if err := checkText("id", m.ID, domain.MaxMessageIDBytes); err != nil {
		return err
	}
	return a.read(w, r, values, func(s *projections.Snapshot, dst []byte) ([]byte, error) {
		places, err := s.Places(m)
		if err != nil {
			return nil, err
		}
		if len(places) == 0 {
			return nil, &problem{code: code(domain.CodeUnknownEvent), absent: true,
				detail: "nothing is recorded of this message"}
		}
		x := a.explainer(r.Context(), s)
		explained := func(dst []byte, place *projections.Place) ([]byte, error) {
			e, err := x.Explain(*place)
			if err != nil {
				return nil, err
			}
			return appendExplained(dst, e), nil
		}
		dst, err = appendList(append(dst, `{"events":`...), places, explained)
		return append(dst, '}'), err
	})
}

func checkText(field, text string, most int) error {
	if text == "" || len(text) > most || !utf8.ValidString(text) {
		return problemf(codeBadRequest, field, "must be there, with 1 to %d bytes of UTF-8", most)
	}
	return nil
}

// appendPlace appends the members of an event's place.
func appendPlace(dst []byte, p projections.Place) []byte {
	dst = strconv.AppendUint(append(dst, `"index":`...), p.Index, 10)
	return appendText(append(dst, `,"position":`...), p.Position.String())
}
