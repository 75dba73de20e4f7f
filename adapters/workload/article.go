package workload

import (
	"fmt"
	"slices"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// The sample article, and the account whose view of it the demo shows: Raphael read it to the end, liked it, commented,
// and has an opinion on the comments of others, as they have on his.
const (
	ArticlePost   = "turkey-uzbekistan-critical-minerals"
	ArticleTitle  = "Turkey and Uzbekistan Forge Deeper Mining Ties with Critical Minerals Agreement"
	ArticleReader = "raphael"
	ArticleAuthor = "leonardo"
)

const (
	articleSource     = "synthetic/article"
	articleURL        = "https://example.com/" + ArticlePost
	articleTimeToRead = 240
)

// articlePublished is when the article was published.
var articlePublished = time.Date(2026, time.January, 29, 9, 0, 0, 0, time.UTC)

// act is one engagement with the article.
type act struct {
	// minute counts from the publication.
	minute int
	who    string
	what   domain.EventType
	// comment is whose comment it is about, "" for the article itself.
	comment string
	// number is the seconds of a read, the level of a comment.
	number uint64
}

// articleActs is what happened, in order.
var articleActs = []act{
	{0, ArticleAuthor, domain.PostPublished, "", 0},

	{6, "raphael", domain.PostRead, "", 262},
	{7, "raphael", domain.PostLiked, "", 0},
	{9, "raphael", domain.CommentAdded, "raphael", 14},
	{11, "donatello", domain.PostRead, "", 655}, // with the annexes
	{12, "donatello", domain.PostLiked, "", 0},
	{19, "donatello", domain.CommentAdded, "donatello", 42},
	{20, "raphael", domain.CommentLiked, "donatello", 0},
	{21, "donatello", domain.CommentLiked, "raphael", 0},
	{24, ArticleAuthor, domain.CommentLiked, "donatello", 0},

	{30, "michelangelo", domain.PostRead, "", 31}, // the pizza had come
	{31, "michelangelo", domain.CommentAdded, "michelangelo", 13},
	{32, "michelangelo", domain.CommentLiked, "michelangelo", 0}, // counted, and pays nothing
	{33, "raphael", domain.CommentDisliked, "michelangelo", 0},
	{55, "michelangelo", domain.PostRead, "", 248}, // the pizza was gone
	{56, "michelangelo", domain.PostLiked, "", 0},

	{61, "shredder", domain.PostDisliked, "", 0}, // unread
	{61, "shredder", domain.CommentDisliked, "raphael", 0},
	{61, "shredder", domain.CommentDisliked, "donatello", 0},
	{61, "shredder", domain.CommentDisliked, "michelangelo", 0},

	{75, "comandante", domain.PostRead, "", 241},
	{78, "comandante", domain.CommentAdded, "comandante", 99},
	{79, "muchacha", domain.PostRead, "", 305},
	{80, "muchacha", domain.PostLiked, "", 0},
	{83, "muchacha", domain.CommentAdded, "muchacha", 27},
	{84, "muchacha", domain.CommentDisliked, "comandante", 0},
	{85, "comandante", domain.CommentLiked, "muchacha", 0},
	{86, "raphael", domain.CommentLiked, "muchacha", 0},
	{87, "raphael", domain.CommentDisliked, "comandante", 0},
	{88, "donatello", domain.CommentLiked, "muchacha", 0},

	{120, "casey", domain.PostDisliked, "", 0},
	{126, "casey", domain.PostRead, "", 244},
	{127, "casey", domain.PostLiked, "", 0}, // having read it: a switch
	{140, "april", domain.PostRead, "", 388},
	{141, "april", domain.PostLiked, "", 0},
	{142, "april", domain.CommentLiked, "raphael", 0},
	{143, "april", domain.CommentLiked, "donatello", 0},
	{480, "splinter", domain.PostRead, "", 1800}, // patience
	{481, "splinter", domain.CommentLiked, "raphael", 0},
	{482, "splinter", domain.CommentLiked, "michelangelo", 0},
	{483, "splinter", domain.CommentLiked, "muchacha", 0},
	{484, "raphael", domain.PostRead, "", 250}, // once more: the first read was paid
}

// ArticleAccounts returns who has to do with the sample article, in the order of their first act: the author first.
func ArticleAccounts() (accounts []string) {
	for _, a := range articleActs {
		if !slices.Contains(accounts, a.who) {
			accounts = append(accounts, a.who)
		}
	}
	return accounts
}

// Article returns the sample article's engagements in their order, of 29 January 2026. On an empty ledger with the
// default tariff all of them are recorded.
func Article() [][]byte {
	lines := make([][]byte, len(articleActs))
	for i, a := range articleActs {
		e := a.engagement()
		e.Message = domain.Message{Source: articleSource, ID: fmt.Sprintf("e-%02d", i+1)}
		lines[i] = appendEngagement(nil, &e)
	}
	return lines
}

func (a act) engagement() domain.Engagement {
	e := domain.Engagement{
		Type: a.what, AccountID: a.who, PostID: ArticlePost,
		OccurredAt: articlePublished.Add(time.Duration(a.minute) * time.Minute),
	}
	if a.comment != "" {
		e.CommentID = "comment-" + a.comment
	}
	switch a.what {
	case domain.PostPublished:
		e.Title, e.URL, e.TimeToReadSeconds = ArticleTitle, articleURL, articleTimeToRead
	case domain.PostRead:
		e.SecondsRead = a.number
	case domain.CommentAdded:
		e.Level = a.number
	case domain.CommentLiked, domain.CommentDisliked:
		// A reaction to a comment names the comment alone.
		e.PostID = ""
	}
	return e
}
