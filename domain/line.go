package domain

// Line is a line of a statement. The zero Line is none: it is the treasury's.
type Line uint8

// The 13 lines, in the order of the statement: six of profit, six of loss, and reading beside both subtotals.
const (
	EarnedForPluses Line = iota + 1
	CommentRewards
	LikesOwn
	LikesCommenter
	LikesAuthor
	DislikesAuthor

	SpentForMinuses
	CommentTributes
	DislikesOwn
	DislikesCommenter
	PostPublishTribute
	PnLReports

	ReadToEarn
)

// LineCount is the number of lines.
const LineCount = int(ReadToEarn)

// LineSide tells where a line stands and which side of a posting raises it.
type LineSide uint8

// The sides of a statement.
const (
	// ProfitSide lines are raised by credits.
	ProfitSide LineSide = iota + 1
	// LossSide lines are raised by debits.
	LossSide
	// ReadingSide is the read-to-earn box, outside both subtotals, raised by credits.
	ReadingSide
)

var lines = [...]struct {
	key, label string
	side       LineSide
}{
	EarnedForPluses:    {"earned_for_pluses", "Earned for Pluses", ProfitSide},
	CommentRewards:     {"comment_rewards", "Comment Rewards", ProfitSide},
	LikesOwn:           {"likes_own", "Likes Own", ProfitSide},
	LikesCommenter:     {"likes_commenter", "Likes Commenter", ProfitSide},
	LikesAuthor:        {"likes_author", "Likes Author", ProfitSide},
	DislikesAuthor:     {"dislikes_author", "Dislikes Author", ProfitSide},
	SpentForMinuses:    {"spent_for_minuses", "Spent for Minuses", LossSide},
	CommentTributes:    {"comment_tributes", "Comment Tributes", LossSide},
	DislikesOwn:        {"dislikes_own", "Dislikes Own", LossSide},
	DislikesCommenter:  {"dislikes_commenter", "Dislikes Commenter", LossSide},
	PostPublishTribute: {"post_publish_tribute", "Post Publish Tribute", LossSide},
	PnLReports:         {"pnl_reports", "PnL Reports", LossSide},
	ReadToEarn:         {"read_to_earn", "You earned", ReadingSide},
}

var linesByKey = func() map[string]Line {
	m := map[string]Line{}
	for l := EarnedForPluses; l.Valid(); l++ {
		m[lines[l].key] = l
	}
	return m
}()

// Valid reports whether l is one of the 13 lines.
func (l Line) Valid() bool { return l > 0 && int(l) < len(lines) }

// String returns the line's key, such as "earned_for_pluses"; "" for none.
func (l Line) String() string { return lines[l].key }

// Label returns the line's label on the page, such as "Earned for Pluses".
func (l Line) Label() string { return lines[l].label }

// Side returns where the line stands.
func (l Line) Side() LineSide { return lines[l].side }

// ParseLine returns the line with that key.
func ParseLine(key string) (l Line, ok bool) {
	l, ok = linesByKey[key]
	return l, ok
}
