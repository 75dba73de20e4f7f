package tarifffile

import (
	"fmt"

	"github.com/tweiledger/tweiledger/domain"
)

// Format returns the file of a tariff's versions, which Parse reads as the same. The versions must be valid.
func Format(ts domain.Tariffs) []byte {
	var text []byte
	for i := range ts {
		if i > 0 {
			text = append(text, "---\n"...)
		}
		text = appendTariff(text, &ts[i])
	}
	return text
}

func appendTariff(dst []byte, t *domain.Tariff) []byte {
	dst = fmt.Appendf(dst, "version: %d\n", t.Version)
	if !t.EffectiveFrom.IsZero() {
		dst = fmt.Appendf(dst, "effective_from: %q\n", domain.FormatTime(t.EffectiveFrom))
	}
	dst = fmt.Appendf(dst, "comment_min_level: %d\n", t.CommentMinLevel)
	dst = fmt.Appendf(dst, "read_min_fraction: %q\n", t.ReadMinFraction)
	dst = fmt.Appendf(dst, "own_post_comment_pays: %t\n", t.OwnPostCommentPays)
	dst = fmt.Appendf(dst, "author_reaction_pays: %t\n", t.AuthorReactionPays)
	if len(t.Rows) == 0 {
		return append(dst, "rows: []\n"...)
	}
	dst = append(dst, "rows:\n"...)
	for _, r := range t.Rows {
		dst = fmt.Appendf(dst, "  - engagement: %s\n", r.Engagement.TariffName())
		dst = fmt.Appendf(dst, "    debit: %s\n", side(r.Debit))
		dst = fmt.Appendf(dst, "    credit: %s\n", side(r.Credit))
		dst = fmt.Appendf(dst, "    amount: %q\n", r.Amount)
	}
	return dst
}

func side(s domain.TariffSide) string {
	if s.Line == 0 {
		return fmt.Sprintf("{party: %s}", s.Party)
	}
	return fmt.Sprintf("{party: %s, line: %s}", s.Party, s.Line)
}
