package domain_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/tweiledger/tweiledger/domain"
)

// model is the ledger as DESIGN sections 2 to 4 tell it, and as naive as can be: a list of what was recorded, looked
// through from its beginning for every question. It shares the names of types, codes and reasons with the domain, and
// no arithmetic and no rule.
type model struct {
	now     time.Time
	tariffs []domain.Tariff
	facts   []*fact
}

// fact is one thing that was recorded.
type fact struct {
	kind   domain.EventType
	stream string
	// said is the engagement, for what one was recorded as.
	said                    domain.Engagement
	at                      time.Time
	post, author, commenter string
	tariff                  uint64
	moves                   []move
	reason                  domain.Reason
	// about is what it withdraws, removes, reverses or reinstates.
	about *fact
	note  string
	// also is the withdrawal of a switch.
	also *fact
	// id is what the ledger under test called it.
	id domain.EventID
}

// move is a posting: amount Twei from one account and line to another.
type move struct {
	from, fromLine, to, toLine string
	amount                     decimal.Decimal
	back                       bool
}

func (m move) String() string {
	side := func(account, line string) string {
		if line == "" {
			return account
		}
		return account + ":" + line
	}
	text := side(m.from, m.fromLine) + " > " + side(m.to, m.toLine) + " " + m.amount.String()
	if m.back {
		text = "back " + text
	}
	return text
}

// answer is what an outcome says, as text, so that answers of the model and of a ledger are compared at sight.
type answer string

func answerOf(result domain.Result, code domain.Code, f *fact) answer {
	if f == nil {
		return answer(fmt.Sprintf("%s %s", result, code))
	}
	text := fmt.Sprintf("%s %s on %s at %s by tariff %d: %v %q", result, f.kind, f.stream, f.at.Format(time.RFC3339Nano), f.tariff, f.moves, f.reason)
	if f.also != nil {
		text += fmt.Sprintf(" also %v %q by tariff %d", f.also.moves, f.also.reason, f.also.tariff)
	}
	return answer(text)
}

// given is the answer that a ledger's outcome is.
func given(o domain.Outcome) answer {
	if o.Result == domain.Rejected {
		return answerOf(o.Result, o.Rejection.Code, nil)
	}
	if o.Result == domain.Failed {
		return answer("failed " + o.Detail)
	}
	e := o.Recorded
	text := fmt.Sprintf("%s %s on %s at %s by tariff %d: %v %q", o.Result, e.Type, e.Stream, e.OccurredAt.Format(time.RFC3339Nano), e.Tariff, postings(e.Postings), e.Reason)
	if a := o.Also; a.Event != nil {
		text += fmt.Sprintf(" also %v %q by tariff %d", postings(a.Postings), a.Reason, a.Tariff)
	}
	return answer(text)
}

func rejected(code domain.Code) (answer, *fact) { return answerOf(domain.Rejected, code, nil), nil }

// find returns the first fact for which the condition holds.
func (m *model) find(holds func(*fact) bool) *fact {
	for _, f := range m.facts {
		if holds(f) {
			return f
		}
	}
	return nil
}

// last returns the last fact for which the condition holds.
func (m *model) last(holds func(*fact) bool) (found *fact) {
	for _, f := range m.facts {
		if holds(f) {
			found = f
		}
	}
	return found
}

func (m *model) count(holds func(*fact) bool) (n int) {
	for _, f := range m.facts {
		if holds(f) {
			n++
		}
	}
	return n
}

func (m *model) post(id string) *fact {
	return m.find(func(f *fact) bool { return f.kind == domain.PostPublished && f.post == id })
}

func (m *model) comment(id string) *fact {
	return m.find(func(f *fact) bool { return f.kind == domain.CommentAdded && f.said.CommentID == id })
}

// aboutOf returns the fact of a kind that is about another one.
func (m *model) aboutOf(kind domain.EventType, of *fact) *fact {
	return m.find(func(f *fact) bool { return f.kind == kind && f.about == of })
}

// reversalOf returns the reversal of a fact that stands.
func (m *model) reversalOf(of *fact) *fact {
	return m.find(func(f *fact) bool {
		return f.kind == domain.EventReversed && f.about == of && m.aboutOf(domain.EventReinstated, f) == nil
	})
}

// closed reports whether a reversal stands on a stream.
func (m *model) closed(stream string) bool {
	return m.find(func(f *fact) bool {
		return f.stream == stream && f.kind == domain.EventReversed && m.aboutOf(domain.EventReinstated, f) == nil
	}) != nil
}

func isReaction(k domain.EventType) bool {
	return k == domain.PostLiked || k == domain.PostDisliked || k == domain.CommentLiked || k == domain.CommentDisliked
}

// standing returns the reaction that stands on a stream.
func (m *model) standing(stream string) *fact {
	return m.find(func(f *fact) bool {
		return f.stream == stream && isReaction(f.kind) && m.aboutOf(domain.ReactionWithdrawn, f) == nil
	})
}

// inForce returns the tariff in force at a time.
func (m *model) inForce(at time.Time) (t *domain.Tariff) {
	for i := range m.tariffs {
		if !at.Before(m.tariffs[i].EffectiveFrom) {
			t = &m.tariffs[i]
		}
	}
	return t
}

func streamOf(e domain.Engagement) string {
	switch e.Type {
	case domain.PostPublished, domain.PostChanged:
		return "post-" + e.PostID
	case domain.PostRead:
		return "reading-" + e.PostID + "/" + e.AccountID
	case domain.CommentAdded, domain.CommentRemoved:
		return "comment-" + e.CommentID
	}
	if e.CommentID != "" {
		return "reaction-comment/" + e.CommentID + "/" + e.AccountID
	}
	return "reaction-post/" + e.PostID + "/" + e.AccountID
}

// send takes an engagement and answers it.
func (m *model) send(e domain.Engagement) (answer, *fact) {
	if f := m.find(func(f *fact) bool { return f.said.Message == e.Message && f.said.Message != domain.Message{} }); f != nil {
		if f.said == e {
			return answerOf(domain.Duplicate, "", f), f
		}
		return rejected(domain.CodeConflictingDuplicate)
	}
	if code := m.refusal(e); code != "" {
		return rejected(code)
	}
	f := m.decide(e)
	if f.also != nil {
		m.facts = append(m.facts, f.also)
	}
	m.facts = append(m.facts, f)
	return answerOf(domain.Recorded, "", f), f
}

// refusal tries the codes in their order.
func (m *model) refusal(e domain.Engagement) domain.Code {
	stream, tariff := streamOf(e), m.inForce(e.OccurredAt)
	post, comment := m.post(e.PostID), m.comment(e.CommentID)
	kind := e.Type
	reaction, withdrawal := isReaction(kind), kind == domain.ReactionWithdrawn
	ofComment := e.CommentID != "" && kind != domain.CommentAdded
	removed := comment != nil && m.aboutOf(domain.CommentRemoved, comment) != nil
	standing := m.standing(stream)
	switch {
	case e.OccurredAt.Sub(m.now) > third:
		return domain.CodeInFuture
	case !ofComment && kind != domain.PostPublished && post == nil:
		return domain.CodeUnknownPost
	case ofComment && comment == nil:
		return domain.CodeUnknownComment
	case kind == domain.PostPublished && post != nil:
		return domain.CodePostExists
	case kind == domain.CommentAdded && comment != nil:
		return domain.CodeCommentExists
	case ofComment && !withdrawal && removed:
		return domain.CodeCommentRemoved
	case kind == domain.CommentAdded && tariff != nil && e.Level < tariff.CommentMinLevel:
		return domain.CodeLevelTooLow
	case reaction && standing != nil && standing.kind == kind:
		return domain.CodeAlreadyReacted
	case withdrawal && standing == nil:
		return domain.CodeNoReaction
	case (reaction || withdrawal || kind == domain.CommentRemoved) && m.outOfOrder(e, stream):
		return domain.CodeOutOfOrder
	case kind == domain.PostRead && m.tooMany(e, stream, tariff):
		return domain.CodeTooMany
	case tariff == nil && !withdrawal && kind != domain.CommentRemoved && kind != domain.PostChanged:
		return domain.CodeNoTariff
	}
	return ""
}

// outOfOrder: older than the last engagement on the stream, or than a reinstatement there.
func (m *model) outOfOrder(e domain.Engagement, stream string) bool {
	return m.find(func(f *fact) bool {
		return f.stream == stream && f.kind != domain.EventReversed && e.OccurredAt.Before(f.at)
	}) != nil
}

func (m *model) tooMany(e domain.Engagement, stream string, tariff *domain.Tariff) bool {
	idle := m.count(func(f *fact) bool { return f.stream == stream && f.kind == domain.PostRead && len(f.moves) == 0 })
	return idle >= 1000 && (tariff == nil || len(m.decide(e).moves) == 0)
}

// decide makes the fact that an engagement is, refusals aside.
func (m *model) decide(e domain.Engagement) *fact {
	f := &fact{kind: e.Type, stream: streamOf(e), said: e, at: e.OccurredAt, post: e.PostID, commenter: ""}
	if comment := m.comment(e.CommentID); comment != nil {
		f.post, f.commenter = comment.post, comment.commenter
	}
	if e.Type == domain.PostPublished {
		f.author = e.AccountID
	} else {
		f.author = m.post(f.post).author
	}
	switch {
	case e.Type == domain.PostChanged:
	case e.Type == domain.CommentRemoved:
		m.takeBack(f, m.comment(e.CommentID))
	case e.Type == domain.ReactionWithdrawn:
		m.takeBack(f, m.standing(f.stream))
	default:
		if e.Type == domain.CommentAdded {
			f.commenter = e.AccountID
		}
		m.price(f)
		if standing := m.standing(f.stream); standing != nil && isReaction(e.Type) {
			f.also = &fact{kind: domain.ReactionWithdrawn, stream: f.stream, at: f.at, post: f.post, author: f.author, commenter: f.commenter}
			m.takeBack(f.also, standing)
		}
	}
	return f
}

// takeBack gives back what a fact moved, unless a reversal of it stands.
func (m *model) takeBack(f, of *fact) {
	f.about, f.tariff = of, of.tariff
	switch {
	case len(of.moves) == 0:
		f.reason = of.reason
	case m.reversalOf(of) != nil:
		f.reason = domain.ReasonAlreadyReversed
	default:
		f.moves = swapped(of.moves)
	}
}

func swapped(moves []move) (back []move) {
	for _, m := range moves {
		back = append(back, move{m.to, m.toLine, m.from, m.fromLine, m.amount, true})
	}
	return back
}

// price works out what a fact moves, by the tariff in force when it occurred.
func (m *model) price(f *fact) {
	t := m.inForce(f.at)
	f.tariff = t.Version
	if f.reason = m.idle(f, t); f.reason != "" {
		return
	}
	accounts := map[domain.Party]string{
		domain.PartyTreasury: "treasury", domain.PartyAuthor: f.author, domain.PartyCommenter: f.commenter,
		domain.PartyActor: f.said.AccountID, domain.PartyReader: f.said.AccountID, domain.PartyBuyer: f.said.AccountID,
	}
	for _, r := range t.Rows {
		if r.Engagement == f.kind {
			amount := decimal.RequireFromString(r.Amount.String())
			f.moves = append(f.moves, move{accounts[r.Debit.Party], r.Debit.Line.String(), accounts[r.Credit.Party], r.Credit.Line.String(), amount, false})
		}
	}
	if len(f.moves) == 0 {
		f.reason = domain.ReasonNoRow
	}
}

// idle tries the reasons in their order.
func (m *model) idle(f *fact, t *domain.Tariff) domain.Reason {
	own := f.said.AccountID == f.author
	reaction, read := isReaction(f.kind), f.kind == domain.PostRead
	timeToRead := m.last(func(g *fact) bool { return g.stream == "post-"+f.post && g.said.TimeToReadSeconds > 0 })
	switch {
	case own && (read || f.kind == domain.CommentAdded && !t.OwnPostCommentPays || reaction && !t.AuthorReactionPays):
		return domain.ReasonOwnPost
	case reaction && (f.commenter == "" && own || f.said.AccountID == f.commenter):
		return domain.ReasonSelfReaction
	case (read || reaction) && m.closed(f.stream):
		return domain.ReasonReversed
	case read && m.find(func(g *fact) bool { return g.stream == f.stream && g.kind == domain.PostRead && len(g.moves) > 0 }) != nil:
		return domain.ReasonAlreadyRewarded
	case read && seconds(f.said.SecondsRead).LessThan(seconds(timeToRead.said.TimeToReadSeconds).Mul(decimal.RequireFromString(t.ReadMinFraction.String()))):
		return domain.ReasonTooShort
	}
	return ""
}

func seconds(n uint64) decimal.Decimal { return decimal.NewFromUint64(n) }

// operated records what an operator asked for.
func (m *model) operated(kind domain.EventType, about *fact, note string, base *fact) *fact {
	f := &fact{kind: kind, stream: about.stream, at: m.now, post: about.post, author: about.author, commenter: about.commenter,
		tariff: about.tariff, about: about, note: note}
	if base.at.After(f.at) {
		f.at = base.at
	}
	m.facts = append(m.facts, f)
	return f
}

// gone reports whether a withdrawal or removal ended a fact.
func (m *model) gone(f *fact) bool {
	return m.aboutOf(domain.ReactionWithdrawn, f) != nil || m.aboutOf(domain.CommentRemoved, f) != nil
}

func (m *model) reverse(target *fact, note string) (answer, *fact) {
	if f := m.find(func(f *fact) bool { return f.kind == domain.EventReversed && f.about == target && f.note == note }); f != nil {
		return answerOf(domain.Duplicate, "", f), f
	}
	switch {
	case m.gone(target) || m.reversalOf(target) != nil:
		return rejected(domain.CodeAlreadyReversed)
	case len(target.moves) == 0 || target.about != nil:
		return rejected(domain.CodeNotReversible)
	}
	base := target
	if again := m.last(func(f *fact) bool { return f.kind == domain.EventReinstated && f.about.about == target }); again != nil {
		base = again
	}
	moves := swapped(target.moves)
	f := m.operated(domain.EventReversed, target, note, base)
	f.moves = moves
	return answerOf(domain.Recorded, "", f), f
}

func (m *model) reinstate(target *fact, note string) (answer, *fact) {
	if f := m.aboutOf(domain.EventReinstated, target); f != nil && f.note == note {
		return answerOf(domain.Duplicate, "", f), f
	} else if f != nil || target.kind != domain.EventReversed {
		return rejected(domain.CodeNotReversible)
	}
	f := m.operated(domain.EventReinstated, target, note, target)
	if m.gone(target.about) {
		f.reason = domain.ReasonAlreadyReversed
	} else {
		f.moves = slices.Clone(target.about.moves)
	}
	return answerOf(domain.Recorded, "", f), f
}

// buy sells an account a report. Its stream's name is UUIDv5 of what buys it.
func (m *model) buy(post, account, key string) (answer, *fact) {
	said := domain.Engagement{Type: domain.PnLReportIssued, PostID: post, AccountID: account}
	said.Message = domain.Message{Source: "report/" + account, ID: key}
	published := m.post(post)
	if f := m.find(func(f *fact) bool { return f.said.Message == said.Message }); f != nil && f.said != said {
		return rejected(domain.CodeConflictingDuplicate)
	} else if f != nil {
		return answerOf(domain.Duplicate, "", f), f
	}
	if published == nil {
		return rejected(domain.CodeUnknownPost)
	}
	stream := "report-" + uuid.NewSHA1(uuid.NameSpaceURL, []byte(said.Source+"\n"+key)).String()
	f := &fact{kind: said.Type, stream: stream, said: said, at: m.now, post: post, author: published.author}
	m.price(f)
	m.facts = append(m.facts, f)
	return answerOf(domain.Recorded, "", f), f
}

func (m *model) publish(t domain.Tariff) (answer, *fact) {
	n := len(m.tariffs)
	same := m.find(func(f *fact) bool { return f.kind == domain.TariffPublished && f.note == fmt.Sprint(t) })
	switch {
	case same != nil:
		return answerOf(domain.Duplicate, "", same), same
	case t.Version > uint64(n+1):
		return rejected(domain.CodeInvalid)
	case t.Version <= uint64(n):
		return rejected(domain.CodeVersionTaken)
	case t.EffectiveFrom.Sub(m.now) < lead, !t.EffectiveFrom.After(m.tariffs[n-1].EffectiveFrom):
		return rejected(domain.CodeTariffTooEarly)
	}
	f := m.start(t)
	return answerOf(domain.Recorded, "", f), f
}

// start takes a tariff without a question.
func (m *model) start(t domain.Tariff) *fact {
	m.tariffs = append(m.tariffs, t)
	f := &fact{kind: domain.TariffPublished, stream: "tariff", at: m.now, note: fmt.Sprint(t)}
	m.facts = append(m.facts, f)
	return f
}

// sums adds all moves up: by post, by account and for the platform, each by line.
func (m *model) sums() (posts, accounts map[string]map[string]decimal.Decimal, platform map[string]decimal.Decimal) {
	posts, accounts, platform = map[string]map[string]decimal.Decimal{}, map[string]map[string]decimal.Decimal{}, map[string]decimal.Decimal{}
	add := func(scopes map[string]map[string]decimal.Decimal, scope, line string, amount decimal.Decimal) {
		if scopes[scope] == nil {
			scopes[scope] = map[string]decimal.Decimal{}
		}
		scopes[scope][line] = scopes[scope][line].Add(amount)
	}
	for _, f := range m.facts {
		for _, mv := range f.moves {
			amount := mv.amount
			if mv.back {
				amount = amount.Neg()
			}
			for _, side := range [][2]string{{mv.from, mv.fromLine}, {mv.to, mv.toLine}} {
				if side[0] == "treasury" {
					continue
				}
				add(posts, f.post, side[1], amount)
				add(accounts, side[0], side[1], amount)
				platform[side[1]] = platform[side[1]].Add(amount)
			}
		}
	}
	return posts, accounts, platform
}
