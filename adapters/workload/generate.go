package workload

import (
	"iter"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// The posts and accounts of DESIGN section 8.
const (
	DefaultPosts    = 1_000
	DefaultAccounts = 100_000
)

// Options say what Generate makes.
type Options struct {
	// Posts and Accounts are how many take part, at most 2^32; what is below 1 is the default.
	Posts, Accounts int
	// Engagements counts everything but the publications: reads, reactions, switches, comments and repeats. So Generate
	// yields Posts + Engagements lines.
	Engagements int
	// Seed chooses one of many sequences. The sources of different seeds differ, so their messages do too, but they
	// publish the same posts.
	Seed uint64
	// Start is when it begins, to the millisecond; the zero time means 1 January 2026.
	Start time.Time
}

const (
	// span is how long it all lasts, publishing how long it takes until the last post is published.
	span       = 30 * 24 * time.Hour
	publishing = time.Hour
)

// kinds is how many of 800 engagements are of each kind: half reads, a quarter reactions to posts, a fifth to comments,
// the rest comments, where repeats are as mixed as what they repeat; repeats and switches together are one in twenty.
var kinds = [...]struct {
	share int
	make  func(*generator) domain.Engagement
}{
	{390, (*generator).read},
	{184, (*generator).reactToPost},
	{11, (*generator).switchOnPost},
	{147, (*generator).reactToComment},
	{9, (*generator).switchOnComment},
	{39, (*generator).comment},
}

const (
	kindsTotal  = 800
	repeatShare = 20
)

// Generate yields synthetic engagements: first the publications of all posts within an hour, then the engagements with
// them, evenly over the rest of 30 days. The same options give the same bytes on every 64-bit machine. A line is never
// overwritten, so it may be kept. Sequences may be walked at the same time, and each as often as one likes.
//
// Posts are popular by Zipf's law, the first ones most, and so are comments; a tenth of the accounts is behind half of
// what happens. Five of six reads reach the time to read, one in ten is by somebody who was there before. A repeat is
// one of the last 4,096 messages again, byte for byte, so it is older than what stands around it; else times never run
// backwards. A switch is the opposite reaction of one of the last 4,096 reactions to posts, or to comments. Only the
// last 4,096 comments are reacted to.
//
// A ledger with the default tariff, or one that rejects no more, records everything but the repeats, which are
// duplicates, and switches are recorded as two events. That needs room: reactions beyond one for each post and account
// become reads, those beyond one for each comment and account become comments, and somewhere above 1,000 reads for each
// post and account the ledger says too_many.
//
// What is kept is a few words for each post and the last 4,096 messages, reactions and comments, whatever the number of
// engagements and of accounts.
func Generate(o Options) iter.Seq[[]byte] {
	if o.Posts < 1 {
		o.Posts = DefaultPosts
	}
	if o.Accounts < 1 {
		o.Accounts = DefaultAccounts
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	o.Start = o.Start.UTC().Truncate(time.Millisecond)
	return func(yield func([]byte) bool) {
		g := newGenerator(o)
		for n := range o.Posts {
			if !yield(g.publish(n)) {
				return
			}
		}
		for n := range o.Engagements {
			if !yield(g.next(n)) {
				return
			}
		}
	}
}

// generator is one walk along a sequence.
type generator struct {
	Options
	source string
	rng    *rand.Rand
	crowd  crowd
	// popularPost and popularComment draw the rank of a post and of a remembered comment.
	popularPost, popularComment popularity

	posts []post
	// comments are those that are reacted to.
	comments ring[comment]
	// commented counts all comments.
	commented uint64
	// lines are what may be repeated.
	lines ring[[]byte]
	// postReactions and commentReactions are what may be switched: each the reaction that stands, without id and time.
	postReactions, commentReactions ring[domain.Engagement]
	// block is memory for lines: one allocation for hundreds of them.
	block []byte
}

type post struct {
	start      uint32
	timeToRead uint32
	// readers and reactions count those that were there: visitors 0 … n-1 of the crowd.
	readers, reactions uint64
}

type comment struct {
	id        string
	start     uint32
	reactions uint64
}

func newGenerator(o Options) *generator {
	rng := rand.New(rand.NewPCG(o.Seed, 0x7477656c65646772))
	return &generator{
		Options: o, source: named("synthetic/generated/", o.Seed), rng: rng,
		crowd:          newCrowd(rng, uint64(o.Accounts)),
		popularPost:    newPopularity(o.Posts),
		popularComment: newPopularity(ringSize),
		posts:          make([]post, o.Posts),
	}
}

// publish returns the publication of the n-th post.
func (g *generator) publish(n int) []byte {
	p := &g.posts[n]
	p.start, p.timeToRead = g.rng.Uint32(), 30+g.rng.Uint32N(571)
	id := postID(n)
	return g.line(&domain.Engagement{
		Type: domain.PostPublished, Message: domain.Message{Source: g.source, ID: id},
		OccurredAt: g.Start.Add(evenly(publishing, n, g.Posts)),
		PostID:     id, AccountID: g.visitor(p.start, g.anybody()),
		Title: "Synthetic " + id, TimeToReadSeconds: uint64(p.timeToRead),
	})
}

// next returns the n-th engagement after the publications.
func (g *generator) next(n int) []byte {
	draw := g.rng.IntN(kindsTotal)
	if draw < repeatShare {
		if line := g.lines.any(g.rng); line != nil {
			return *line
		}
		draw = repeatShare
	}
	draw -= repeatShare
	kind := 0
	for draw >= kinds[kind].share {
		draw -= kinds[kind].share
		kind++
	}
	e := kinds[kind].make(g)
	e.Message = domain.Message{Source: g.source, ID: "e-" + strconv.Itoa(n)}
	e.OccurredAt = g.Start.Add(publishing + evenly(span-publishing, n, g.Engagements))
	line := g.line(&e)
	g.lines.put(line)
	return line
}

// evenly returns the n-th of count moments that lie evenly in d, to the millisecond.
func evenly(d time.Duration, n, count int) time.Duration {
	return time.Duration(uint64(d.Milliseconds())*uint64(n)/uint64(count)) * time.Millisecond
}

// line returns an engagement as a line of its own memory.
func (g *generator) line(e *domain.Engagement) []byte {
	const blockSize, longestLine = 1 << 16, 1 << 10
	if cap(g.block)-len(g.block) < longestLine {
		g.block = make([]byte, 0, blockSize)
	}
	begin := len(g.block)
	g.block = appendEngagement(g.block, e)
	return g.block[begin:len(g.block):len(g.block)]
}

// anybody returns the number of a visitor, any of the crowd.
func (g *generator) anybody() uint64 { return g.rng.Uint64N(g.crowd.size()) }

// visitor returns the name of a target's k-th visitor.
func (g *generator) visitor(start uint32, k uint64) string {
	return named("account-", g.crowd.visitor(start, k))
}

func postID(n int) string { return "post-" + strconv.Itoa(n) }

func (g *generator) read() domain.Engagement {
	n := g.popularPost.draw(g.rng)
	p := &g.posts[n]
	reader := p.readers
	if everybody := g.crowd.size(); reader > 0 && (reader == everybody || g.rng.IntN(10) == 0) {
		reader = g.rng.Uint64N(reader)
	} else {
		p.readers++
	}
	seconds := p.timeToRead
	if g.rng.IntN(6) == 0 {
		seconds = g.rng.Uint32N(seconds)
	} else {
		seconds += g.rng.Uint32N(seconds)
	}
	return domain.Engagement{
		Type: domain.PostRead, PostID: postID(n), AccountID: g.visitor(p.start, reader), SecondsRead: uint64(seconds),
	}
}

// reactToPost returns a reaction by the next visitor, who has mostly read the post before; a read where everybody has
// reacted to everything.
func (g *generator) reactToPost() domain.Engagement {
	first := g.popularPost.draw(g.rng)
	for i := range g.posts {
		n := (first + i) % len(g.posts)
		if p := &g.posts[n]; p.reactions < g.crowd.size() {
			p.reactions++
			e := domain.Engagement{
				Type: g.like(5, domain.PostLiked, domain.PostDisliked), PostID: postID(n),
				AccountID: g.visitor(p.start, p.reactions-1),
			}
			g.postReactions.put(e)
			return e
		}
	}
	return g.read()
}

// reactToComment returns a reaction by the next visitor; a comment where there is none that somebody has not reacted
// to.
func (g *generator) reactToComment() domain.Engagement {
	comments := g.comments.items
	first := g.popularComment.draw(g.rng)
	for i := range comments {
		if c := &comments[(first+i)%len(comments)]; c.reactions < g.crowd.size() {
			c.reactions++
			e := domain.Engagement{
				Type: g.like(4, domain.CommentLiked, domain.CommentDisliked), CommentID: c.id,
				AccountID: g.visitor(c.start, c.reactions-1),
			}
			g.commentReactions.put(e)
			return e
		}
	}
	return g.comment()
}

// like returns dislike once in oneIn, else like.
func (g *generator) like(oneIn int, like, dislike domain.EventType) domain.EventType {
	if g.rng.IntN(oneIn) == 0 {
		return dislike
	}
	return like
}

func (g *generator) comment() domain.Engagement {
	n := g.popularPost.draw(g.rng)
	p := &g.posts[n]
	// Commenters have read the post, but for the first.
	commenter := g.visitor(p.start, g.rng.Uint64N(max(p.readers, 1)))
	c := comment{id: named("comment-", g.commented), start: g.rng.Uint32()}
	g.commented++
	g.comments.put(c)
	return domain.Engagement{
		Type: domain.CommentAdded, PostID: postID(n), CommentID: c.id, AccountID: commenter, Level: 13 + g.rng.Uint64N(38),
	}
}

func (g *generator) switchOnPost() domain.Engagement {
	if r := g.postReactions.any(g.rng); r != nil {
		r.Type = opposite[r.Type]
		return *r
	}
	return g.reactToPost()
}

func (g *generator) switchOnComment() domain.Engagement {
	if r := g.commentReactions.any(g.rng); r != nil {
		r.Type = opposite[r.Type]
		return *r
	}
	return g.reactToComment()
}

var opposite = map[domain.EventType]domain.EventType{
	domain.PostLiked: domain.PostDisliked, domain.PostDisliked: domain.PostLiked,
	domain.CommentLiked: domain.CommentDisliked, domain.CommentDisliked: domain.CommentLiked,
}
