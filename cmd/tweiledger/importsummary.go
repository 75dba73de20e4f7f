package main

import (
	"fmt"
	"strconv"

	"github.com/tweiledger/tweiledger/domain"
)

// importSummary counts engagements by outcome and by rejection code.
type importSummary struct {
	engagements int
	results     map[domain.Result]int
	codes       map[domain.Code]int
}

func (s *importSummary) add(a *answer) {
	if s.results == nil {
		s.results, s.codes = map[domain.Result]int{}, map[domain.Code]int{}
	}
	s.engagements++
	s.results[a.Result]++
	if a.Result == domain.Rejected {
		s.codes[a.Code]++
	}
}

func (s *importSummary) rejected() int { return s.results[domain.Rejected] }

// json returns the summary: every outcome, and the codes that there were, in the order of the closed set.
func (s *importSummary) json() []byte {
	text := fmt.Appendf(nil, `{"engagements":%d,"outcomes":{`, s.engagements)
	for i, result := range []domain.Result{domain.Recorded, domain.Duplicate, domain.Rejected, domain.Failed} {
		text = appendCount(text, i == 0, string(result), s.results[result])
	}
	text = append(text, `},"codes":{`...)
	first := true
	for _, code := range domain.Codes {
		if n := s.codes[code]; n > 0 {
			text = appendCount(text, first, string(code), n)
			first = false
		}
	}
	return append(text, "}}"...)
}

func appendCount(text []byte, first bool, name string, n int) []byte {
	if !first {
		text = append(text, ',')
	}
	return strconv.AppendInt(append(strconv.AppendQuote(text, name), ':'), int64(n), 10)
}
