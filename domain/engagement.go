package domain

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of what an engagement says, in bytes (DESIGN section 4).
const (
	MaxSourceBytes    = 2_048
	MaxMessageIDBytes = 256
	MaxTitleBytes     = 1_024
	MaxURLBytes       = 2_048
	MaxNoteBytes      = 1_024
)

// Engagement is what the platform says happened: a CloudEvent that was read and found well-formed. Only the members of
// its type are set.
type Engagement struct {
	Type EventType
	Message
	// OccurredAt is the CloudEvent's time, in UTC.
	OccurredAt        time.Time
	PostID, CommentID string
	AccountID         string
	Title, URL        string
	TimeToReadSeconds uint64
	SecondsRead       uint64
	Level             uint64
}

// Received is an engagement as it came in. With a Rejection it could not be read; Message then holds what could.
type Received struct {
	Engagement
	Rejection *Rejection
}

// member is a bit for each member that the data of an engagement can have.
type member uint16

const (
	hasPostID member = 1 << iota
	hasCommentID
	hasAccountID
	hasTitle
	hasURL
	hasTimeToRead
	hasSecondsRead
	hasLevel
)

// engagementMembers says what the data of each type holds.
var engagementMembers = [...]struct{ required, optional member }{
	PostPublished:   {required: hasPostID | hasAccountID | hasTitle | hasTimeToRead, optional: hasURL},
	PostChanged:     {required: hasPostID, optional: hasTitle | hasTimeToRead | hasURL},
	PostRead:        {required: hasPostID | hasAccountID | hasSecondsRead},
	PostLiked:       {required: hasPostID | hasAccountID},
	PostDisliked:    {required: hasPostID | hasAccountID},
	CommentAdded:    {required: hasPostID | hasCommentID | hasAccountID | hasLevel},
	CommentRemoved:  {required: hasCommentID},
	CommentLiked:    {required: hasCommentID | hasAccountID},
	CommentDisliked: {required: hasCommentID | hasAccountID},
	// A withdrawal names exactly one of the two.
	ReactionWithdrawn: {required: hasAccountID, optional: hasPostID | hasCommentID},
}

// dataMember is one member that data can have: its bit, and how it is read into an engagement.
type dataMember struct {
	name string
	bit  member
	read func(*Engagement, jsontext.Value) error
}

// dataMemberList is in the order in which a missing member is looked for.
var dataMemberList = []dataMember{
	{"post_id", hasPostID, readID(func(e *Engagement) *string { return &e.PostID })},
	{"comment_id", hasCommentID, readID(func(e *Engagement) *string { return &e.CommentID })},
	{"account_id", hasAccountID, readID(func(e *Engagement) *string { return &e.AccountID })},
	{"title", hasTitle, readTitle},
	{"url", hasURL, readURL},
	{"time_to_read_seconds", hasTimeToRead, readTimeToRead},
	{"seconds_read", hasSecondsRead, readInteger(func(e *Engagement) *uint64 { return &e.SecondsRead })},
	{"level", hasLevel, readInteger(func(e *Engagement) *uint64 { return &e.Level })},
}

var dataMembers = func() map[string]dataMember {
	byName := map[string]dataMember{}
	for _, m := range dataMemberList {
		byName[m.name] = m
	}
	return byName
}()

// engagementReader reads CloudEvents; its decoder is used again and again.
type engagementReader struct {
	dec jsontext.Decoder
	buf bytes.Buffer
	Received
	specVersion, typ, time, contentType string
	hasData, hasBase64                  bool
	members                             member
	// badAttribute is the first attribute that is no string; the rest is still read, so that the message is known.
	badAttribute *Rejection
}

var engagementReaders = sync.Pool{New: func() any { return new(engagementReader) }}

// ParseEngagement reads one CloudEvent 1.0 in structured mode (CloudEvents JSON format). It never fails: what cannot be
// read comes back with a Rejection of code invalid that names the field and its place.
func ParseEngagement(event []byte) Received {
	r := engagementReaders.Get().(*engagementReader)
	defer engagementReaders.Put(r)
	r.start(event)
	if rej := r.readEnvelope(); rej != nil {
		r.Rejection = rej
	} else {
		r.Rejection = r.finish()
	}
	return r.Received
}

// ParseBinaryEngagement reads one CloudEvent 1.0 in binary mode: its context attributes by name, without a prefix, and
// its data. Apart from that it is ParseEngagement.
func ParseBinaryEngagement(attributes map[string]string, data []byte) Received {
	r := engagementReaders.Get().(*engagementReader)
	defer engagementReaders.Put(r)
	r.start(data)
	for name, value := range attributes {
		if target := r.attribute([]byte(name)); target != nil {
			*target = value
		}
	}
	r.hasData = true
	rej := r.readData()
	if rej == nil {
		rej = r.readEnd()
	}
	if rej != nil {
		// The text that was read is the data alone.
		rej.Field = strings.TrimSuffix("data."+rej.Field, ".")
		r.Rejection = rej
	} else {
		r.Rejection = r.finish()
	}
	return r.Received
}

func (r *engagementReader) start(text []byte) {
	r.Received = Received{}
	r.specVersion, r.typ, r.time, r.contentType = "", "", "", ""
	r.hasData, r.hasBase64, r.members, r.badAttribute = false, false, 0, nil
	r.buf.Reset()
	r.buf.Write(text)
	r.dec.Reset(&r.buf)
}

func (r *engagementReader) attribute(name []byte) *string {
	switch string(name) {
	case "specversion":
		return &r.specVersion
	case "type":
		return &r.typ
	case "source":
		return &r.Source
	case "id":
		return &r.ID
	case "time":
		return &r.time
	case "datacontenttype":
		return &r.contentType
	}
	return nil
}

// readEnvelope reads the whole event, its data included.
func (r *engagementReader) readEnvelope() *Rejection {
	if r.dec.PeekKind() != '{' {
		if _, err := r.dec.ReadValue(); err != nil {
			return syntaxRejection(err)
		}
		return reject(CodeInvalid, "", "a CloudEvent is a JSON object")
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return syntaxRejection(err)
	}
	for r.dec.PeekKind() == '"' {
		name, err := r.readName()
		if err != nil {
			return syntaxRejection(err)
		}
		if rej := r.readAttribute(name); rej != nil {
			return rej
		}
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return syntaxRejection(err)
	}
	if rej := r.readEnd(); rej != nil {
		return rej
	}
	return r.badAttribute
}

func (r *engagementReader) readAttribute(name []byte) *Rejection {
	if string(name) == "data" {
		r.hasData = true
		return r.readData()
	}
	r.hasBase64 = r.hasBase64 || string(name) == "data_base64"
	target := r.attribute(name)
	if target == nil {
		if err := r.dec.SkipValue(); err != nil {
			return syntaxRejection(err)
		}
		return nil
	}
	switch r.dec.PeekKind() {
	case '"':
		s, err := r.readString()
		if err != nil {
			return syntaxRejection(err)
		}
		*target = s
		return nil
	case 'n':
		// In CloudEvents an attribute of null is one that is not there.
		_, err := r.dec.ReadToken()
		return syntaxRejection(err)
	}
	if r.badAttribute == nil {
		r.badAttribute = reject(CodeInvalid, string(name), "must be a string")
	}
	return syntaxRejection(r.dec.SkipValue())
}

// readData reads the data's members, whatever the type is: it may be told only behind them. The first bad member is
// kept and the rest still read, so that the message's source and id are known.
func (r *engagementReader) readData() *Rejection {
	if r.dec.PeekKind() != '{' {
		if err := r.dec.SkipValue(); err != nil {
			return syntaxRejection(err)
		}
		r.keep(reject(CodeInvalid, "data", "must be a JSON object"))
		return nil
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return syntaxRejection(err)
	}
	for r.dec.PeekKind() == '"' {
		name, err := r.readName()
		if err != nil {
			return syntaxRejection(err)
		}
		m, known := dataMembers[string(name)]
		if !known {
			r.keep(reject(CodeInvalid, "data."+shortened(name), "unknown field"))
			if err := r.dec.SkipValue(); err != nil {
				return syntaxRejection(err)
			}
			continue
		}
		value, err := r.dec.ReadValue()
		if err != nil {
			return syntaxRejection(err)
		}
		r.members |= m.bit
		if err := m.read(&r.Engagement, value); err != nil {
			r.keep(reject(CodeInvalid, "data."+m.name, "%v", err))
		}
	}
	_, err := r.dec.ReadToken()
	return syntaxRejection(err)
}

// shortened returns a name as an answer repeats it: not at any length.
func shortened(name []byte) string {
	return strings.ToValidUTF8(string(name[:min(len(name), MaxIDBytes)]), "")
}

// keep remembers the first bad member of the data.
func (r *engagementReader) keep(rej *Rejection) {
	if r.Rejection == nil {
		r.Rejection = rej
	}
}

func (r *engagementReader) readEnd() *Rejection {
	switch _, err := r.dec.ReadToken(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return syntaxRejection(err)
	}
	return reject(CodeInvalid, "", "there is more behind the JSON object, at byte %d", r.dec.InputOffset())
}

// readName reads a member's name; it is valid until the next read.
func (r *engagementReader) readName() ([]byte, error) {
	value, err := r.dec.ReadValue()
	if err != nil || bytes.IndexByte(value, '\\') < 0 {
		return value[min(1, len(value)):max(len(value)-1, 0)], err
	}
	return []byte(unquote(value)), nil
}

func (r *engagementReader) readString() (string, error) {
	value, err := r.dec.ReadValue()
	if err != nil {
		return "", err
	}
	return unquote(value), nil
}

// unquote returns the text of a valid JSON string.
func unquote(v jsontext.Value) string {
	if bytes.IndexByte(v, '\\') < 0 {
		return string(v[1 : len(v)-1])
	}
	text, _ := jsontext.AppendUnquote(nil, v)
	return string(text)
}

// syntaxRejection turns an error of the JSON decoder into a rejection that names the place; nil for no error.
func syntaxRejection(err error) *Rejection {
	if err == nil {
		return nil
	}
	rej := &Rejection{Code: CodeInvalid, Detail: err.Error()}
	if errors.Is(err, io.EOF) {
		rej.Detail = "there is no JSON here"
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		rej.Field = shortened([]byte(memberPath(syntax.JSONPointer)))
		rej.Detail = fmt.Sprintf("not valid JSON at byte %d: %v", syntax.ByteOffset, syntax.Err)
		if errors.Is(err, jsontext.ErrDuplicateName) {
			rej.Detail = fmt.Sprintf("the name stands twice, again at byte %d", syntax.ByteOffset)
		}
	}
	return rej
}

// finish checks what was read: first the envelope, then the data.
func (r *engagementReader) finish() *Rejection {
	if rej := r.checkEnvelope(); rej != nil {
		return rej
	}
	if r.Rejection != nil {
		return r.Rejection
	}
	return r.checkMembers()
}

func (r *engagementReader) checkEnvelope() *Rejection {
	if r.specVersion != "1.0" {
		return reject(CodeInvalid, "specversion", "must be \"1.0\"")
	}
	t, known := typesByCloudEvent[r.typ]
	if !known {
		return reject(CodeInvalid, "type", "%.80q is no type of engagement", r.typ)
	}
	r.Type = t
	if err := checkText(r.Source, 1, MaxSourceBytes); err != nil {
		return reject(CodeInvalid, "source", "%v", err)
	}
	if ownSource(r.Source) {
		return reject(CodeInvalid, "source", "%.80q is the ledger's own", r.Source)
	}
	if err := checkText(r.ID, 1, MaxMessageIDBytes); err != nil {
		return reject(CodeInvalid, "id", "%v", err)
	}
	if r.time == "" {
		return reject(CodeInvalid, "time", "is missing: it says when it happened")
	}
	var err error
	if r.OccurredAt, err = ParseTime(r.time); err != nil {
		return reject(CodeInvalid, "time", "%v", err)
	}
	if r.contentType != "" && !isJSON(r.contentType) {
		return reject(CodeInvalid, "datacontenttype", "%.80q is not JSON", r.contentType)
	}
	if r.hasBase64 {
		return reject(CodeInvalid, "data_base64", "the data must be JSON, in data")
	}
	if !r.hasData {
		return reject(CodeInvalid, "data", "is missing")
	}
	return nil
}

// isJSON reports whether a media type is JSON: */json or */*+json (CloudEvents JSON format, section 3.1).
func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json"))
}

// checkMembers checks that the data has what its type holds, and no more.
func (r *engagementReader) checkMembers() *Rejection {
	want := engagementMembers[r.Type]
	for _, m := range dataMemberList {
		if r.members&m.bit != 0 && (want.required|want.optional)&m.bit == 0 {
			return reject(CodeInvalid, "data."+m.name, "unknown field for %s", r.typ)
		}
		if r.members&m.bit == 0 && want.required&m.bit != 0 {
			return reject(CodeInvalid, "data."+m.name, "is missing")
		}
	}
	given := r.members & want.optional
	switch {
	case r.Type == PostChanged && given == 0:
		return reject(CodeInvalid, "data", "must have at least one of title, time_to_read_seconds and url")
	case r.Type == ReactionWithdrawn && given != hasPostID && given != hasCommentID:
		return reject(CodeInvalid, "data", "must have exactly one of post_id and comment_id")
	}
	return nil
}

func readID(target func(*Engagement) *string) func(*Engagement, jsontext.Value) error {
	return func(e *Engagement, v jsontext.Value) error {
		if v.Kind() != '"' {
			return errors.New("must be a string")
		}
		id := unquote(v)
		if !ValidID(id) {
			return fmt.Errorf("%.140q is not an identifier: 1 to %d characters of A–Z a–z 0–9 . _ ~ : @ -, and not %q, %q or %q",
				id, MaxIDBytes, ".", "..", Treasury)
		}
		*target(e) = id
		return nil
	}
}

func readInteger(target func(*Engagement) *uint64) func(*Engagement, jsontext.Value) error {
	return func(e *Engagement, v jsontext.Value) (err error) {
		*target(e), err = parseInteger(v)
		return err
	}
}

func readTimeToRead(e *Engagement, v jsontext.Value) (err error) {
	e.TimeToReadSeconds, err = parseInteger(v)
	if err == nil && e.TimeToReadSeconds == 0 {
		err = errors.New("must be at least 1")
	}
	return err
}

// parseInteger reads an integer 0 … 2^53-1, which has neither a fraction nor an exponent.
func parseInteger(v jsontext.Value) (uint64, error) {
	if v.Kind() != '0' {
		return 0, errors.New("must be a number")
	}
	var n uint64
	for _, c := range v {
		if c < '0' || c > '9' || n > MaxInteger/10 {
			return 0, errNoInteger
		}
		n = n*10 + uint64(c-'0')
	}
	if n > MaxInteger {
		return 0, errNoInteger
	}
	return n, nil
}

var errNoInteger = errors.New("must be an integer from 0 to 2^53-1, without fraction or exponent")

func readTitle(e *Engagement, v jsontext.Value) error {
	if v.Kind() != '"' {
		return errors.New("must be a string")
	}
	e.Title = unquote(v)
	return checkText(e.Title, 1, MaxTitleBytes)
}

func readURL(e *Engagement, v jsontext.Value) error {
	if v.Kind() != '"' {
		return errors.New("must be a string")
	}
	e.URL = unquote(v)
	return checkURL(e.URL)
}

func checkURL(s string) error {
	if err := checkText(s, 1, MaxURLBytes); err != nil {
		return err
	}
	web := strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
	if u, err := url.Parse(s); !web || err != nil || u.Hostname() == "" {
		return errors.New("must be an http:// or https:// address with a host")
	}
	return nil
}

// checkText checks a text's length in bytes, and that it has no control character (category Cc).
func checkText(s string, least, most int) error {
	switch {
	case len(s) < least && s == "":
		return errors.New("is missing or empty")
	case len(s) > most:
		return fmt.Errorf("has %d bytes, at most %d are allowed", len(s), most)
	case !utf8.ValidString(s):
		return errors.New("is not valid UTF-8")
	}
	if i := strings.IndexFunc(s, unicode.IsControl); i >= 0 {
		return fmt.Errorf("has a control character at byte %d", i)
	}
	return nil
}
