package domain

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// AppendJSON appends the tariff's document as the routes give it (DESIGN section 3).
func (t *Tariff) AppendJSON(dst []byte) []byte {
	dst = appendUint(append(dst, '{'), "version", t.Version)
	if !t.EffectiveFrom.IsZero() {
		dst = appendMember(dst, "effective_from", FormatTime(t.EffectiveFrom))
	}
	dst = appendUint(dst, "comment_min_level", t.CommentMinLevel)
	dst = appendMember(dst, "read_min_fraction", t.ReadMinFraction.String())
	dst = appendBool(dst, "own_post_comment_pays", t.OwnPostCommentPays)
	dst = appendBool(dst, "author_reaction_pays", t.AuthorReactionPays)
	return append(appendRows(appendKey(dst, "rows"), t.Rows), '}')
}

// tariffDocument is a tariff's document as it is read. Every member but effective_from must be there.
type tariffDocument struct {
	Version            jsontext.Value `json:"version"`
	EffectiveFrom      *string        `json:"effective_from"`
	CommentMinLevel    jsontext.Value `json:"comment_min_level"`
	ReadMinFraction    *string        `json:"read_min_fraction"`
	OwnPostCommentPays *bool          `json:"own_post_comment_pays"`
	AuthorReactionPays *bool          `json:"author_reaction_pays"`
	Rows               *[]rowDocument `json:"rows"`
}

type rowDocument struct {
	Engagement *string       `json:"engagement"`
	Debit      *sideDocument `json:"debit"`
	Credit     *sideDocument `json:"credit"`
	Amount     *string       `json:"amount"`
}

type sideDocument struct {
	Party *string `json:"party"`
	Line  *string `json:"line"`
}

// ParseTariff reads a tariff's document and validates it. A rejection has the code invalid, and the member's path as
// its field.
func ParseTariff(text []byte) (Tariff, *Rejection) {
	var doc tariffDocument
	if err := json.Unmarshal(text, &doc, json.RejectUnknownMembers(true)); err != nil {
		return Tariff{}, documentRejection(err)
	}
	if err := rejectNull(text); err != nil {
		return Tariff{}, invalidField(err)
	}
	t, err := doc.tariff()
	if err == nil {
		err = t.Validate()
	}
	if err != nil {
		return Tariff{}, invalidField(err)
	}
	return t, nil
}

// invalidField returns the rejection of a *FieldError.
func invalidField(err error) *Rejection {
	var field *FieldError
	if errors.As(err, &field) {
		return reject(CodeInvalid, field.Field, "%s", field.Detail)
	}
	return reject(CodeInvalid, "", "%v", err)
}

// documentRejection turns an error of the JSON decoder into a rejection that names the member.
func documentRejection(err error) *Rejection {
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		return syntaxRejection(err)
	}
	rej := reject(CodeInvalid, memberPath(semantic.JSONPointer), "must not be a %s", semantic.JSONKind)
	if errors.Is(err, json.ErrUnknownName) {
		rej.Detail = "unknown field"
	}
	return rej
}

// memberPath writes a JSON pointer like "/rows/3/amount" as "rows[3].amount".
func memberPath(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		if _, err := strconv.Atoi(token); err == nil {
			fmt.Fprintf(&b, "[%s]", token)
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(token)
	}
	return b.String()
}

// rejectNull finds a null anywhere in a valid document: it is never a value.
func rejectNull(text []byte) error {
	dec := jsontext.NewDecoder(strings.NewReader(string(text)))
	for {
		switch token, err := dec.ReadToken(); {
		case err != nil:
			// The document was read before: this is its end.
			return nil
		case token.Kind() == 'n':
			return fieldErrorf(memberPath(dec.StackPointer()), "must not be null")
		}
	}
}

func (doc *tariffDocument) tariff() (t Tariff, err error) {
	missing := func(field string, is bool) {
		if is && err == nil {
			err = fieldErrorf(field, "is missing")
		}
	}
	missing("version", doc.Version == nil)
	missing("comment_min_level", doc.CommentMinLevel == nil)
	missing("read_min_fraction", doc.ReadMinFraction == nil)
	missing("own_post_comment_pays", doc.OwnPostCommentPays == nil)
	missing("author_reaction_pays", doc.AuthorReactionPays == nil)
	missing("rows", doc.Rows == nil)
	if err != nil {
		return t, err
	}
	t.OwnPostCommentPays, t.AuthorReactionPays = *doc.OwnPostCommentPays, *doc.AuthorReactionPays
	if t.Version, err = parseInteger(doc.Version); err != nil {
		return t, fieldErrorf("version", "%v", err)
	}
	if t.CommentMinLevel, err = parseInteger(doc.CommentMinLevel); err != nil {
		return t, fieldErrorf("comment_min_level", "%v", err)
	}
	if t.ReadMinFraction, err = ParseFraction(*doc.ReadMinFraction); err != nil {
		return t, fieldErrorf("read_min_fraction", "%v", err)
	}
	if doc.EffectiveFrom != nil {
		if t.EffectiveFrom, err = ParseTime(*doc.EffectiveFrom); err != nil {
			return t, fieldErrorf("effective_from", "%v", err)
		}
	}
	for i := range *doc.Rows {
		r, err := (*doc.Rows)[i].row(fmt.Sprintf("rows[%d]", i))
		if err != nil {
			return t, err
		}
		t.Rows = append(t.Rows, r)
	}
	return t, nil
}

func (doc *rowDocument) row(place string) (r TariffRow, err error) {
	if doc.Engagement == nil {
		return r, fieldErrorf(place+".engagement", "is missing")
	}
	var ok bool
	if r.Engagement, ok = typesByTariffName[*doc.Engagement]; !ok {
		return r, fieldErrorf(place+".engagement", "%.80q is no engagement that a tariff prices", *doc.Engagement)
	}
	if r.Debit, err = doc.Debit.side(place + ".debit"); err != nil {
		return r, err
	}
	if r.Credit, err = doc.Credit.side(place + ".credit"); err != nil {
		return r, err
	}
	if doc.Amount == nil {
		return r, fieldErrorf(place+".amount", "is missing")
	}
	if r.Amount, err = ParseTwei(*doc.Amount); err != nil {
		return r, fieldErrorf(place+".amount", "%v", err)
	}
	return r, nil
}

func (doc *sideDocument) side(place string) (s TariffSide, err error) {
	if doc == nil {
		return s, fieldErrorf(place, "is missing")
	}
	if doc.Party == nil {
		return s, fieldErrorf(place+".party", "is missing")
	}
	var ok bool
	if s.Party, ok = ParseParty(*doc.Party); !ok {
		return s, fieldErrorf(place+".party", "%.80q is no party", *doc.Party)
	}
	if doc.Line != nil {
		if s.Line, ok = ParseLine(*doc.Line); !ok {
			return s, fieldErrorf(place+".line", "%.80q is no line", *doc.Line)
		}
	}
	return s, nil
}

// tariffMessage is the message of a tariff's event.
func tariffMessage(version uint64) Message {
	return Message{LedgerSource, "tariff/" + strconv.FormatUint(version, 10)}
}
