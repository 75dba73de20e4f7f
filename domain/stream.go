package domain

import (
	"fmt"
	"strings"
)

// Stream names a stream, a consistency boundary of the log. The names are frozen:
//
//	tariff                                the tariff's versions
//	post-<post>                           a post: PostPublished, PostChanged
//	comment-<comment>                     a comment: CommentAdded, CommentRemoved
//	reading-<post>/<account>              an account's reads of a post
//	reaction-post/<post>/<account>        an account's likes and dislikes of a post
//	reaction-comment/<comment>/<account>  the same of a comment
//	report-<report>                       a report instance
//
// An EventReversed or EventReinstated goes on the stream of the event that it is about. Identifiers have no slash, so a
// name is read in one way only.
type Stream string

// TariffStream holds the tariff's versions.
const TariffStream Stream = "tariff"

// StreamKind tells what a stream is about.
type StreamKind uint8

// The kinds of streams.
const (
	KindTariff StreamKind = iota + 1
	KindPost
	KindComment
	KindReading
	KindPostReaction
	KindCommentReaction
	KindReport
)

// PostStream returns the stream of a post.
func PostStream(post string) Stream { return Stream("post-" + post) }

// CommentStream returns the stream of a comment.
func CommentStream(comment string) Stream { return Stream("comment-" + comment) }

// ReadingStream returns the stream of an account's reads of a post.
func ReadingStream(post, account string) Stream { return Stream("reading-" + post + "/" + account) }

// PostReactionStream returns the stream of an account's reactions to a post.
func PostReactionStream(post, account string) Stream {
	return Stream("reaction-post/" + post + "/" + account)
}

// CommentReactionStream returns the stream of an account's reactions to a comment.
func CommentReactionStream(comment, account string) Stream {
	return Stream("reaction-comment/" + comment + "/" + account)
}

// ReportStream returns the stream of a report instance.
func ReportStream(report string) Stream { return Stream("report-" + report) }

// Parse takes a stream's name apart: its kind, the post, comment or report that it is about, and the account of a
// reading or a reaction. ok is false for a name that is none of the above.
func (s Stream) Parse() (kind StreamKind, subject, account string, ok bool) {
	name := string(s)
	if s == TariffStream {
		return KindTariff, "", "", true
	}
	for _, k := range streamPrefixes {
		rest, found := strings.CutPrefix(name, k.prefix)
		if !found {
			continue
		}
		subject = rest
		if k.perAccount {
			subject, account, ok = strings.Cut(rest, "/")
			if !ok || !ValidID(account) {
				return 0, "", "", false
			}
		}
		return k.kind, subject, account, ValidID(subject)
	}
	return 0, "", "", false
}

// StreamPattern returns a regular expression, for RE2 and for .NET, that matches the names that Parse takes apart. It
// may stand behind another one, and ends with the end of the text.
func StreamPattern() string {
	id := idPattern()
	var single, perAccount []string
	for _, k := range streamPrefixes {
		if k.perAccount {
			perAccount = append(perAccount, k.prefix)
		} else {
			single = append(single, k.prefix)
		}
	}
	return fmt.Sprintf(`(?:%s|(?:%s)%s|(?:%s)%s/%s)\z`,
		TariffStream, strings.Join(single, "|"), id, strings.Join(perAccount, "|"), id, id)
}

var streamPrefixes = []struct {
	prefix     string
	kind       StreamKind
	perAccount bool
}{
	{"post-", KindPost, false},
	{"comment-", KindComment, false},
	{"reading-", KindReading, true},
	{"reaction-post/", KindPostReaction, true},
	{"reaction-comment/", KindCommentReaction, true},
	{"report-", KindReport, false},
}
