package domain_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"github.com/tweiledger/tweiledger/domain"
)

// constants returns the values of all string constants of a type in a file of the package, in their order.
func constants(t *testing.T, file, typ string) (values []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == typ {
			for _, v := range spec.Values {
				s, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, s)
			}
		}
		return true
	})
	return values
}

func texts[T ~string](values []T) (texts []string) {
	for _, v := range values {
		texts = append(texts, string(v))
	}
	return texts
}

// The closed sets of DESIGN section 4, in its order, are the constants and the lists of the package.
func TestClosedSets(t *testing.T) {
	codes := []string{"invalid", "conflicting_duplicate", "in_future", "unknown_post", "unknown_comment", "unknown_event",
		"post_exists", "comment_exists", "comment_removed", "level_too_low", "already_reacted", "no_reaction",
		"out_of_order", "too_many", "already_reversed", "not_reversible", "version_taken", "tariff_too_early", "no_tariff"}
	reasons := []string{"own_post", "self_reaction", "reversed", "already_rewarded", "too_short", "already_reversed", "no_row"}
	results := []string{"recorded", "duplicate", "rejected", "failed"}
	for _, set := range []struct {
		name                  string
		want, constants, list []string
	}{
		{"codes", codes, constants(t, "rejection.go", "Code"), texts(domain.Codes)},
		{"reasons", reasons, constants(t, "event.go", "Reason"), texts(domain.Reasons)},
		{"results", results, constants(t, "outcome.go", "Result"), results},
	} {
		if !slices.Equal(set.want, set.constants) {
			t.Errorf("%s: the constants are %q, not %q", set.name, set.constants, set.want)
		}
		if !slices.Equal(set.want, set.list) {
			t.Errorf("%s: the list is %q, not %q", set.name, set.list, set.want)
		}
	}
}

// The tables of rejections and reasons have a row for each member of their sets.
func TestTablesAreWhole(t *testing.T) {
	seenCodes := map[domain.Code]bool{}
	for _, row := range rejections {
		seenCodes[row.code] = true
	}
	for _, code := range domain.Codes {
		if !seenCodes[code] {
			t.Errorf("no row gives the code %s", code)
		}
	}
	seenReasons := map[domain.Reason]bool{}
	for _, row := range reasons {
		seenReasons[row.reason] = true
	}
	for _, reason := range domain.Reasons {
		if !seenReasons[reason] {
			t.Errorf("no row gives the reason %s", reason)
		}
	}
}

// The lines of DESIGN section 1: order, key, label and side.
func TestLines(t *testing.T) {
	rows := []struct {
		key, label string
		side       domain.LineSide
	}{
		{"earned_for_pluses", "Earned for Pluses", domain.ProfitSide},
		{"comment_rewards", "Comment Rewards", domain.ProfitSide},
		{"likes_own", "Likes Own", domain.ProfitSide},
		{"likes_commenter", "Likes Commenter", domain.ProfitSide},
		{"likes_author", "Likes Author", domain.ProfitSide},
		{"dislikes_author", "Dislikes Author", domain.ProfitSide},
		{"spent_for_minuses", "Spent for Minuses", domain.LossSide},
		{"comment_tributes", "Comment Tributes", domain.LossSide},
		{"dislikes_own", "Dislikes Own", domain.LossSide},
		{"dislikes_commenter", "Dislikes Commenter", domain.LossSide},
		{"post_publish_tribute", "Post Publish Tribute", domain.LossSide},
		{"pnl_reports", "PnL Reports", domain.LossSide},
		{"read_to_earn", "You earned", domain.ReadingSide},
	}
	if len(rows) != domain.LineCount {
		t.Fatalf("%d lines, not %d", domain.LineCount, len(rows))
	}
	for i, row := range rows {
		l := domain.Line(i + 1)
		if l.String() != row.key || l.Label() != row.label || l.Side() != row.side || !l.Valid() {
			t.Errorf("line %d is %q %q %d, not %q %q %d", l, l, l.Label(), l.Side(), row.key, row.label, row.side)
		}
		if parsed, ok := domain.ParseLine(row.key); !ok || parsed != l {
			t.Errorf("ParseLine(%q) = %d, %t", row.key, parsed, ok)
		}
	}
	for _, key := range []string{"", "treasury", "Likes Own", "likes_own "} {
		if l, ok := domain.ParseLine(key); ok {
			t.Errorf("ParseLine(%q) = %d", key, l)
		}
	}
}

// The event types of DESIGN section 4: the name in the log, the CloudEvents type and the name in a tariff.
func TestEventTypes(t *testing.T) {
	tariffNames := map[domain.EventType]string{
		domain.PostPublished: "post_published", domain.PostRead: "post_read", domain.PostLiked: "post_liked",
		domain.PostDisliked: "post_disliked", domain.CommentAdded: "comment_added", domain.CommentLiked: "comment_liked",
		domain.CommentDisliked: "comment_disliked", domain.PnLReportIssued: "report_issued",
	}
	names := []string{"PostPublished", "PostChanged", "PostRead", "PostLiked", "PostDisliked", "CommentAdded", "CommentRemoved",
		"CommentLiked", "CommentDisliked", "ReactionWithdrawn", "PnLReportIssued", "TariffPublished", "EventReversed", "EventReinstated"}
	for i, name := range names {
		typ := domain.EventType(i + 1)
		if typ.String() != name || typ.CloudEvent() != cloudEvents[typ] || typ.TariffName() != tariffNames[typ] {
			t.Errorf("type %d is %q %q %q", i+1, typ, typ.CloudEvent(), typ.TariffName())
		}
		if (typ.Parties() != nil) != (tariffNames[typ] != "") {
			t.Errorf("%s has the parties %v", typ, typ.Parties())
		}
		if parsed, ok := domain.ParseEventType(name); !ok || parsed != typ {
			t.Errorf("ParseEventType(%q) = %v, %t", name, parsed, ok)
		}
	}
	if domain.EventType(0).Valid() || domain.EventType(len(names)+1).Valid() {
		t.Error("there are more types than DESIGN has")
	}
}
