package domain

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// ErrNotCanonical: bytes are not the canonical line of an event.
var ErrNotCanonical = errors.New("not a canonical event line")

// eventMember is one member of the event's line: how it is written, read, and told to be there.
type eventMember struct {
	key   string
	write func(dst []byte, key string, e *Event) []byte
	read  func(s *scanner, e *Event)
	isSet func(e *Event) bool
}

// eventMembers are all members that any event has, in the order of RFC 8785: by name. Frozen.
var eventMembers = []eventMember{
	idMember("account_id", func(e *Event) *string { return &e.AccountID }),
	idMember("author", func(e *Event) *string { return &e.Author }),
	tariffBool("author_reaction_pays", func(t *Tariff) *bool { return &t.AuthorReactionPays }),
	textMember("by", MaxMessageIDBytes, func(e *Event) *string { return &e.By }),
	idMember("comment_id", func(e *Event) *string { return &e.CommentID }),
	tariffUint("comment_min_level", func(t *Tariff) *uint64 { return &t.CommentMinLevel }),
	idMember("commenter", func(e *Event) *string { return &e.Commenter }),
	timeMember("effective_from", func(e *Event) *time.Time {
		if e.Published == nil {
			return new(time.Time)
		}
		return &e.Published.EffectiveFrom
	}),
	uuidMember("id", func(e *Event) *EventID { return &e.ID }),
	uintMember("level", func(e *Event) *uint64 { return &e.Level }),
	textMember("note", MaxNoteBytes, func(e *Event) *string { return &e.Note }),
	timeMember("occurred_at", func(e *Event) *time.Time { return &e.OccurredAt }),
	tariffBool("own_post_comment_pays", func(t *Tariff) *bool { return &t.OwnPostCommentPays }),
	statementMember("own_statement", func(e *Event) **Statement { return &e.OwnStatement }),
	idMember("post_id", func(e *Event) *string { return &e.PostID }),
	{"postings", writePostings, readPostings, func(e *Event) bool { return len(e.Postings) > 0 }},
	{"read_min_fraction", writeFraction, readFraction, func(e *Event) bool { return e.Published != nil }},
	{"reason", writeReason, readReason, func(e *Event) bool { return e.Reason != "" }},
	timeMember("recorded_at", func(e *Event) *time.Time { return &e.RecordedAt }),
	uuidMember("reinstates", func(e *Event) *EventID { return &e.Reinstates }),
	idMember("report_id", func(e *Event) *string { return &e.ReportID }),
	uuidMember("reverses", func(e *Event) *EventID { return &e.Reverses }),
	{"revision", writeRevision, readRevision, func(e *Event) bool { return true }},
	{"rows", writeRows, readRows, func(e *Event) bool { return e.Published != nil }},
	uintMember("seconds_read", func(e *Event) *uint64 { return &e.SecondsRead }),
	uintMember("size", func(e *Event) *uint64 { return &e.Size }),
	textMember("source", MaxSourceBytes, func(e *Event) *string { return &e.Source }),
	textMember("source_id", MaxMessageIDBytes, func(e *Event) *string { return &e.SourceID }),
	statementMember("statement", func(e *Event) **Statement { return &e.Statement }),
	textMember("stream", len("reaction-comment/")+2*MaxIDBytes+1, func(e *Event) *string { return (*string)(&e.Stream) }),
	uintMember("tariff", func(e *Event) *uint64 { return &e.Tariff }),
	positive(uintMember("time_to_read_seconds", func(e *Event) *uint64 { return &e.TimeToReadSeconds })),
	textMember("title", MaxTitleBytes, func(e *Event) *string { return &e.Title }),
	{"type", writeType, readType, func(e *Event) bool { return true }},
	{"url", writeText(func(e *Event) *string { return &e.URL }), readEventURL, func(e *Event) bool { return e.URL != "" }},
	tariffUint("version", func(t *Tariff) *uint64 { return &t.Version }),
	uuidMember("withdraws", func(e *Event) *EventID { return &e.Withdraws }),
}

// A shape says which members an event of a type has; a set of them is a bit mask over eventMembers.
type shape struct{ required, optional uint64 }

var shapes [EventReinstated + 1]shape

// eventShapes is the frozen table of DESIGN section 4: what each type holds beside the members that all have.
var eventShapes = [...]struct{ required, optional string }{
	PostPublished:     {"account_id author post_id tariff time_to_read_seconds title", "reason url"},
	PostChanged:       {"author post_id", "time_to_read_seconds title url"},
	PostRead:          {"account_id author post_id seconds_read tariff time_to_read_seconds", "reason"},
	PostLiked:         {"account_id author post_id tariff", "reason"},
	PostDisliked:      {"account_id author post_id tariff", "reason"},
	CommentAdded:      {"account_id author comment_id commenter level post_id tariff", "reason"},
	CommentRemoved:    {"author comment_id commenter post_id reverses tariff", "reason"},
	CommentLiked:      {"account_id author comment_id commenter post_id tariff", "reason"},
	CommentDisliked:   {"account_id author comment_id commenter post_id tariff", "reason"},
	ReactionWithdrawn: {"account_id author post_id tariff withdraws", "comment_id commenter reason"},
	PnLReportIssued:   {"account_id author own_statement post_id report_id size statement tariff", "reason"},
	TariffPublished: {"author_reaction_pays comment_min_level own_post_comment_pays read_min_fraction rows version",
		"by effective_from note"},
	EventReversed:   {"author by note post_id reverses tariff", "commenter"},
	EventReinstated: {"author by note post_id reinstates tariff", "commenter reason"},
}

const commonMembers = "id occurred_at postings recorded_at revision source source_id stream type"

func init() {
	byKey := map[string]uint64{}
	for i, m := range eventMembers {
		byKey[m.key] = 1 << i
	}
	set := func(keys string) (mask uint64) {
		for key := range strings.FieldsSeq(keys) {
			if byKey[key] == 0 {
				panic("no member " + key)
			}
			mask |= byKey[key]
		}
		return mask
	}
	for t, s := range eventShapes {
		shapes[t] = shape{set(s.required + " " + commonMembers), set(s.optional)}
	}
}

// AppendCanonical appends the event's canonical line, without a line feed. It fails where a statement's sums overflow
// and where the line would exceed MaxEventBytes.
func (e *Event) AppendCanonical(dst []byte) ([]byte, error) {
	if !e.Type.Valid() {
		return nil, fmt.Errorf("event %s: no event type %d", e.ID, e.Type)
	}
	if (e.Type == TariffPublished) != (e.Published != nil) {
		return nil, fmt.Errorf("event %s: only a TariffPublished has a tariff's members", e.ID)
	}
	start := len(dst)
	dst = append(dst, '{')
	set := setOf(e)
	for i := range eventMembers {
		if m := &eventMembers[i]; set&(1<<i) != 0 {
			if dst = m.write(dst, m.key, e); dst == nil {
				return nil, fmt.Errorf("event %s: the member %s cannot be written", e.ID, m.key)
			}
		}
	}
	dst = append(dst, '}')
	if n := len(dst) - start; n > MaxEventBytes {
		return nil, fmt.Errorf("event %s: its line has %d bytes, at most %d are allowed: %w", e.ID, n, MaxEventBytes,
			ErrAppendTooLarge)
	}
	return dst, nil
}

// setOf returns the set of the members that the event's line has.
func setOf(e *Event) uint64 {
	s := shapes[e.Type]
	set := s.required
	for rest := s.optional; rest != 0; rest &= rest - 1 {
		if i := bits.TrailingZeros64(rest); eventMembers[i].isSet(e) {
			set |= 1 << i
		}
	}
	return set
}

// DecodeEvent reads an event's canonical line. It takes that very form and no other: what it returns is written to the
// same bytes again. Errors wrap ErrNotCanonical, or ErrUnsupported for a type that this program does not know.
func DecodeEvent(canonical []byte) (*Event, error) {
	if len(canonical) > MaxEventBytes {
		return nil, fmt.Errorf("%d bytes, at most %d are allowed: %w", len(canonical), MaxEventBytes, ErrNotCanonical)
	}
	e := new(Event)
	s := &scanner{text: string(canonical)}
	found := s.members(e)
	if s.err == nil && !e.Type.Valid() {
		s.fail("no type")
	}
	if s.err != nil {
		return nil, unsupported(canonical, s.err)
	}
	if want := shapes[e.Type]; found&want.required != want.required || found&^(want.required|want.optional) != 0 {
		return nil, fmt.Errorf("%s: %s: %w", e.Type, shapeDifference(found, want), ErrNotCanonical)
	}
	if e.Type == PostChanged && found&shapes[PostChanged].optional == 0 {
		return nil, fmt.Errorf("%s: it changes nothing: %w", e.Type, ErrNotCanonical)
	}
	again, err := e.AppendCanonical(make([]byte, 0, len(canonical)))
	if err != nil {
		return nil, err
	}
	if string(again) != s.text {
		return nil, fmt.Errorf("%s: it is written otherwise: %w", e.Type, ErrNotCanonical)
	}
	return e, nil
}

// unsupported returns why a line cannot be read: that its type is of a newer program, where it names such a one, else
// the error given. A new type may have members that nobody here knows, so its name may not be reached in reading.
// LinePlace returns the stream and the revision that a canonical line says, without reading the rest of it as an event.
// It reports false for what is no such line.
func LinePlace(line []byte) (stream Stream, revision Revision, ok bool) {
	s := scanner{text: string(line)}
	for first := true; s.more(first, '{', '}'); first = false {
		switch s.key() {
		case "revision":
			revision, ok = Revision(s.uint()), true
		case "stream": // comes behind the revision
			stream = Stream(s.string())
			return stream, revision, ok && s.err == nil
		default:
			s.skip()
		}
	}
	return "", 0, false
}

// skip steps over a value, whatever it is.
func (s *scanner) skip() {
	for depth := 0; s.err == nil; {
		switch c := s.peek(); c {
		case '"':
			s.string()
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			depth--
			s.at++
		case 0:
			s.fail("a value without an end")
		case ',':
			s.at++
		default:
			for s.at < len(s.text) && !strings.ContainsRune(`,}]"{[`, rune(s.text[s.at])) {
				s.at++
			}
		}
		if c := s.peek(); depth == 0 && (c == ',' || c == '}') {
			return
		}
	}
}

func unsupported(canonical []byte, err error) error {
	var line struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(canonical, &line) != nil || line.Type == "" {
		return err
	}
	if _, known := ParseEventType(line.Type); known {
		return err
	}
	return fmt.Errorf("an event of type %.80q: %w", line.Type, ErrUnsupported)
}

func shapeDifference(found uint64, want shape) string {
	var words []string
	for i, m := range eventMembers {
		switch bit := uint64(1) << i; {
		case found&bit == 0 && want.required&bit != 0:
			words = append(words, "lacks "+m.key)
		case found&bit != 0 && (want.required|want.optional)&bit == 0:
			words = append(words, "must not have "+m.key)
		}
	}
	return strings.Join(words, ", ")
}

// scanner reads canonical JSON and nothing else. After the first error it stands still. Its strings are parts of text.
type scanner struct {
	text string
	at   int
	err  error
}

func (s *scanner) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("at byte %d: %s: %w", s.at, fmt.Sprintf(format, args...), ErrNotCanonical)
	}
}

// members reads a whole event and returns the set of members found.
func (s *scanner) members(e *Event) (found uint64) {
	next := 0
	for first := true; s.more(first, '{', '}'); first = false {
		key := s.key()
		for next < len(eventMembers) && eventMembers[next].key < key {
			next++
		}
		if s.err != nil {
			return found
		}
		if next == len(eventMembers) || eventMembers[next].key != key {
			s.fail("the member %.80q is unknown, or not in its order", key)
			return found
		}
		eventMembers[next].read(s, e)
		found |= 1 << next
		next++
	}
	if s.err == nil && s.at != len(s.text) {
		s.fail("there is more behind the event")
	}
	return found
}

// more steps to the next element of an object or array: behind its opening, a comma or its end.
func (s *scanner) more(first bool, opening, end byte) bool {
	if first {
		s.byte(opening)
	}
	if s.err != nil {
		return false
	}
	if s.peek() == end {
		s.at++
		return false
	}
	if !first {
		s.byte(',')
	}
	return s.err == nil
}

func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) byte(c byte) {
	if s.err == nil && s.peek() != c {
		s.fail("%q expected", c)
	}
	s.at++
}

// take skips a literal text if it is there.
func (s *scanner) take(literal string) bool {
	if s.err != nil || !strings.HasPrefix(s.text[s.at:], literal) {
		return false
	}
	s.at += len(literal)
	return true
}

func (s *scanner) expect(literal string) {
	if s.err == nil && !s.take(literal) {
		s.fail("%s expected", literal)
	}
}

func (s *scanner) key() string {
	key := s.string()
	s.byte(':')
	return key
}

func (s *scanner) string() string {
	s.byte('"')
	if s.err != nil {
		return ""
	}
	for i := s.at; i < len(s.text); i++ {
		switch s.text[i] {
		case '"':
			text := s.text[s.at:i]
			s.at = i + 1
			return text
		case '\\':
			return s.escaped()
		}
	}
	s.fail("a string without an end")
	return ""
}

// escaped reads the rest of a string that has escapes: only those of a quote and a backslash, for no text of an event
// has control characters.
func (s *scanner) escaped() string {
	var b strings.Builder
	for s.at < len(s.text) {
		c := s.text[s.at]
		s.at++
		switch c {
		case '"':
			return b.String()
		case '\\':
			c = s.peek()
			if c != '"' && c != '\\' {
				s.fail("no such escape here")
				return ""
			}
			s.at++
		}
		b.WriteByte(c)
	}
	s.fail("a string without an end")
	return ""
}

func (s *scanner) uint() (n uint64) {
	start := s.at
	for s.err == nil && s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' && n <= MaxInteger {
		n = n*10 + uint64(s.text[s.at]-'0')
		s.at++
	}
	if s.at == start || n > MaxInteger {
		s.fail("an integer from 0 to 2^53-1 expected")
	}
	return n
}

func (s *scanner) bool() bool {
	if s.take("true") {
		return true
	}
	s.expect("false")
	return false
}

// parsed reads a string by a parser of the domain.
func parsed[T any](s *scanner, parse func(string) (T, error)) (v T) {
	start := s.at
	text := s.string()
	if s.err != nil {
		return v
	}
	v, err := parse(text)
	if err != nil {
		s.at = start
		s.fail("%v", err)
	}
	return v
}

// named reads a string that names a member of a closed set.
func named[T any](s *scanner, what string, parse func(string) (T, bool)) T {
	return parsed(s, func(text string) (v T, err error) {
		v, ok := parse(text)
		if !ok {
			err = fmt.Errorf("%.80q is no %s", text, what)
		}
		return v, err
	})
}

// The kinds of members.

func writeText(get func(*Event) *string) func([]byte, string, *Event) []byte {
	return func(dst []byte, key string, e *Event) []byte { return appendString(appendKey(dst, key), *get(e)) }
}

func textMember(key string, most int, get func(*Event) *string) eventMember {
	read := func(s *scanner, e *Event) {
		*get(e) = parsed(s, func(text string) (string, error) { return text, checkText(text, 1, most) })
	}
	return eventMember{key, writeText(get), read, func(e *Event) bool { return *get(e) != "" }}
}

func idMember(key string, get func(*Event) *string) eventMember {
	m := textMember(key, MaxIDBytes, get)
	m.read = func(s *scanner, e *Event) {
		*get(e) = named(s, "identifier", func(id string) (string, bool) { return id, ValidID(id) })
	}
	return m
}

func readEventURL(s *scanner, e *Event) {
	e.URL = parsed(s, func(text string) (string, error) { return text, checkURL(text) })
}

func uintMember(key string, get func(*Event) *uint64) eventMember {
	return eventMember{
		key:   key,
		write: func(dst []byte, key string, e *Event) []byte { return appendUint(dst, key, *get(e)) },
		read:  func(s *scanner, e *Event) { *get(e) = s.uint() },
		isSet: func(e *Event) bool { return *get(e) != 0 },
	}
}

// positive makes an integer member refuse 0.
func positive(m eventMember) eventMember {
	read := m.read
	m.read = func(s *scanner, e *Event) {
		if s.peek() == '0' {
			s.fail("a positive integer expected")
		}
		read(s, e)
	}
	return m
}

func timeMember(key string, get func(*Event) *time.Time) eventMember {
	return eventMember{
		key: key,
		write: func(dst []byte, key string, e *Event) []byte {
			return append(AppendTime(append(appendKey(dst, key), '"'), *get(e)), '"')
		},
		read:  func(s *scanner, e *Event) { *get(e) = parsed(s, ParseTime) },
		isSet: func(e *Event) bool { return !get(e).IsZero() },
	}
}

func uuidMember(key string, get func(*Event) *EventID) eventMember {
	return eventMember{
		key: key,
		write: func(dst []byte, key string, e *Event) []byte {
			return append(appendUUID(append(appendKey(dst, key), '"'), *get(e)), '"')
		},
		read:  func(s *scanner, e *Event) { *get(e) = parsed(s, ParseEventID) },
		isSet: func(e *Event) bool { return *get(e) != uuid.Nil },
	}
}

// appendUUID appends the 36 characters of an id.
func appendUUID(dst []byte, id uuid.UUID) []byte {
	const hex = "0123456789abcdef"
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hex[b>>4], hex[b&15])
	}
	return dst
}

// ParseEventID reads an event id: 36 characters in lower case.
func ParseEventID(text string) (EventID, error) {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 || strings.ContainsAny(text, "ABCDEF") {
		return EventID{}, fmt.Errorf("%.80q is not an event id", text)
	}
	return id, nil
}

func statementMember(key string, get func(*Event) **Statement) eventMember {
	return eventMember{
		key: key,
		write: func(dst []byte, key string, e *Event) []byte {
			if *get(e) == nil {
				return nil
			}
			dst, err := (*get(e)).AppendCanonical(appendKey(dst, key))
			if err != nil {
				return nil
			}
			return dst
		},
		read: func(s *scanner, e *Event) {
			text := s.object()
			statement := new(Statement)
			if err := statement.UnmarshalJSON([]byte(text)); err != nil {
				s.fail("%v", err)
			}
			*get(e) = statement
		},
		isSet: func(e *Event) bool { return *get(e) != nil },
	}
}

// object skips an object and returns its text. No string in it has an escape or a brace.
func (s *scanner) object() string {
	start, depth := s.at, 0
	for ; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth == 0 {
			s.at++
			return s.text[start:s.at]
		}
	}
	s.fail("an object without an end")
	return ""
}

func writeType(dst []byte, key string, e *Event) []byte {
	return appendString(appendKey(dst, key), e.Type.String())
}

func readType(s *scanner, e *Event) { e.Type = named(s, "event type", ParseEventType) }

func writeRevision(dst []byte, key string, e *Event) []byte {
	return appendUint(dst, key, uint64(e.Revision))
}

func readRevision(s *scanner, e *Event) { e.Revision = Revision(s.uint()) }

func writeReason(dst []byte, key string, e *Event) []byte {
	return appendString(appendKey(dst, key), string(e.Reason))
}

func readReason(s *scanner, e *Event) { e.Reason = named(s, "reason", parseReason) }

func parseReason(name string) (Reason, bool) {
	for _, r := range Reasons {
		if string(r) == name {
			return r, true
		}
	}
	return "", false
}

func writePostings(dst []byte, key string, e *Event) []byte {
	dst = append(appendKey(dst, key), '[')
	for i, p := range e.Postings {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendAmount(append(dst, '{'), "amount", p.Amount)
		dst = appendSide(dst, "credit", p.Credit)
		dst = appendSide(dst, "debit", p.Debit)
		if p.Reversal {
			dst = appendBool(dst, "reversal", true)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendSide(dst []byte, key string, side Side) []byte {
	dst = appendMember(append(appendKey(dst, key), '{'), "account", side.Account)
	return append(appendMember(dst, "line", side.Line.String()), '}')
}

func readPostings(s *scanner, e *Event) {
	for first := true; s.more(first, '[', ']'); first = false {
		var p Posting
		s.expect(`{"amount":`)
		p.Amount = parsed(s, ParseTwei)
		s.expect(`,"credit":`)
		p.Credit = s.side()
		s.expect(`,"debit":`)
		p.Debit = s.side()
		p.Reversal = s.take(`,"reversal":true`)
		s.expect(`}`)
		if s.err == nil && p.Amount.Sign() <= 0 {
			s.fail("the amount %s of a posting is not positive", p.Amount)
		}
		e.Postings = append(e.Postings, p)
	}
}

func (s *scanner) side() (side Side) {
	s.expect(`{"account":`)
	side.Account = named(s, "account", func(id string) (string, bool) { return id, id == Treasury || ValidID(id) })
	if s.take(`,"line":`) {
		side.Line = named(s, "line", ParseLine)
	}
	s.expect(`}`)
	if s.err == nil && side.IsTreasury() == (side.Line != 0) {
		s.fail("the treasury has no line, and nobody else is without one")
	}
	return side
}

// The members of a tariff, which stand at the top level of its event.

// published returns the event's tariff, one being made where there is none yet.
func (e *Event) published() *Tariff {
	if e.Published == nil {
		e.Published = new(Tariff)
	}
	return e.Published
}

func tariffUint(key string, get func(*Tariff) *uint64) eventMember {
	return eventMember{
		key:   key,
		write: func(dst []byte, key string, e *Event) []byte { return appendUint(dst, key, *get(e.published())) },
		read:  func(s *scanner, e *Event) { *get(e.published()) = s.uint() },
		isSet: func(e *Event) bool { return e.Published != nil },
	}
}

func tariffBool(key string, get func(*Tariff) *bool) eventMember {
	return eventMember{
		key:   key,
		write: func(dst []byte, key string, e *Event) []byte { return appendBool(dst, key, *get(e.published())) },
		read:  func(s *scanner, e *Event) { *get(e.published()) = s.bool() },
		isSet: func(e *Event) bool { return e.Published != nil },
	}
}

func writeFraction(dst []byte, key string, e *Event) []byte {
	return appendString(appendKey(dst, key), e.published().ReadMinFraction.String())
}

func readFraction(s *scanner, e *Event) { e.published().ReadMinFraction = parsed(s, ParseFraction) }

func writeRows(dst []byte, key string, e *Event) []byte {
	return appendRows(appendKey(dst, key), e.published().Rows)
}

func appendRows(dst []byte, rows []TariffRow) []byte {
	dst = append(dst, '[')
	for i, r := range rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendAmount(append(dst, '{'), "amount", r.Amount)
		dst = appendTariffSide(dst, "credit", r.Credit)
		dst = appendTariffSide(dst, "debit", r.Debit)
		dst = append(appendMember(dst, "engagement", r.Engagement.TariffName()), '}')
	}
	return append(dst, ']')
}

func appendTariffSide(dst []byte, key string, side TariffSide) []byte {
	dst = appendMember(append(appendKey(dst, key), '{'), "line", side.Line.String())
	return append(appendMember(dst, "party", side.Party.String()), '}')
}

func readRows(s *scanner, e *Event) {
	t := e.published()
	for first := true; s.more(first, '[', ']'); first = false {
		var r TariffRow
		s.expect(`{"amount":`)
		r.Amount = parsed(s, ParseTwei)
		s.expect(`,"credit":`)
		r.Credit = s.tariffSide()
		s.expect(`,"debit":`)
		r.Debit = s.tariffSide()
		s.expect(`,"engagement":`)
		r.Engagement = named(s, "priced engagement", func(name string) (EventType, bool) {
			t, ok := typesByTariffName[name]
			return t, ok
		})
		s.expect(`}`)
		t.Rows = append(t.Rows, r)
	}
}

func (s *scanner) tariffSide() (side TariffSide) {
	s.expect(`{`)
	if s.take(`"line":`) {
		side.Line = named(s, "line", ParseLine)
		s.expect(`,`)
	}
	s.expect(`"party":`)
	side.Party = named(s, "party", ParseParty)
	s.expect(`}`)
	return side
}
