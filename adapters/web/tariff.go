package web

import (
	"strconv"
	"time"

	"github.com/tweiledger/tweiledger/domain"
)

// tariffContent is what tariff.html shows: a version, nil where there is none yet, and where all others are.
type tariffContent struct {
	Shown       *tariffVersion
	Engagements []pricedEngagement
	Rules       []string
	Decimals    int
	Versions    []tariffVersion
}

// tariffVersion is a version with the time that it is in force: from the beginning of time where From is zero, and
// for good where Until is.
type tariffVersion struct {
	Version       uint64
	From, Until   time.Time
	InForce, Past bool
	Href          string
	Current       bool
}

// pricedEngagement is an engagement with the rows that are for it.
type pricedEngagement struct {
	Noun string
	Rows []pricedRow
}

// pricedRow is a row of a tariff in words. Number is its place among the version's rows, from 0.
type pricedRow struct {
	Number int
	// Does says from whom to whom: "pays the actor, from the treasury".
	Does   string
	Lines  []string
	Amount domain.Twei
}

// tariff shows GET /tariff: a version of the tariff, the one in force unless another is asked for.
func (p *Pages) tariff(r *request) (*page, error) {
	versions, err := p.Tariffs(r.ctx)
	if err != nil {
		return nil, err
	}
	shown, err := chosenTariff(r, versions)
	if err != nil {
		return nil, err
	}
	c := &tariffContent{}
	title := "Tariff"
	if shown != nil {
		title = "Tariff, version " + strconv.FormatUint(shown.Version, 10)
		c.Engagements, c.Decimals, c.Rules = pricedEngagements(shown), tariffDecimals(shown), tariffRules(shown)
	}
	now := time.Now()
	for i := len(versions) - 1; i >= 0; i-- {
		v := newTariffVersion(versions, i, now)
		if v.Current = shown == &versions[i]; v.Current {
			c.Shown = &v
		}
		c.Versions = append(c.Versions, v)
	}
	return &page{Title: title, Nav: "/tariff", Content: c,
		Description: "What each engagement pays whom, by which rules, and since when."}, nil
}

// chosenTariff returns the version that the query names, else the one in force, else the first.
func chosenTariff(r *request, versions domain.Tariffs) (*domain.Tariff, error) {
	if !r.query.Has("version") {
		if inForce := versions.InForce(time.Now()); inForce != nil || len(versions) == 0 {
			return inForce, nil
		}
		return &versions[0], nil
	}
	version, err := strconv.ParseUint(r.query.Get("version"), 10, 64)
	if err != nil {
		return nil, badRequest("version", "must be a number")
	}
	if version == 0 || version > uint64(len(versions)) {
		return nil, notFound("the tariff has no version " + strconv.FormatUint(version, 10))
	}
	return &versions[version-1], nil
}

func newTariffVersion(versions domain.Tariffs, i int, now time.Time) tariffVersion {
	of := &versions[i]
	v := tariffVersion{Version: of.Version, From: of.EffectiveFrom, Href: tariffHref(of.Version)}
	if i+1 < len(versions) {
		v.Until = versions[i+1].EffectiveFrom
	}
	v.Past = !v.Until.IsZero() && !v.Until.After(now)
	v.InForce = !v.Past && !v.From.After(now)
	return v
}

// tariffHref returns where a version is shown.
func tariffHref(version uint64) string { return "/tariff?version=" + strconv.FormatUint(version, 10) }

// pricedEngagements returns all engagements that a tariff may price, in their order, with the rows of a version.
func pricedEngagements(t *domain.Tariff) (priced []pricedEngagement) {
	for of := domain.PostPublished; of.Valid(); of++ {
		if of.TariffName() == "" {
			continue
		}
		engagement := pricedEngagement{Noun: nounOf(of)}
		for i := range t.Rows {
			if t.Rows[i].Engagement == of {
				engagement.Rows = append(engagement.Rows, newPricedRow(i, &t.Rows[i]))
			}
		}
		priced = append(priced, engagement)
	}
	return priced
}

func newPricedRow(number int, r *domain.TariffRow) pricedRow {
	row := pricedRow{Number: number, Amount: r.Amount}
	debit, credit := partyOf(r.Debit.Party), partyOf(r.Credit.Party)
	switch {
	case r.Debit.Party == domain.PartyTreasury:
		row.Does = "pays " + credit + ", from " + debit
	case r.Credit.Party == domain.PartyTreasury:
		row.Does = "costs " + debit + ", to " + credit
	default:
		row.Does = "costs " + debit + ", and pays " + credit
	}
	for _, side := range [2]domain.TariffSide{r.Debit, r.Credit} {
		if side.Line.Valid() {
			row.Lines = append(row.Lines, lineLabel(side.Line))
		}
	}
	return row
}

func tariffDecimals(t *domain.Tariff) (most int) {
	for i := range t.Rows {
		most = max(most, decimals(t.Rows[i].Amount))
	}
	return most
}

// tariffRules returns the rules of a version in sentences.
func tariffRules(t *domain.Tariff) []string {
	comments := "Comments are taken from level " + strconv.FormatUint(t.CommentMinLevel, 10) + " on."
	if t.CommentMinLevel == 0 {
		comments = "Comments are taken at every level."
	}
	reads := "A read is rewarded once for each reader and post"
	switch t.ReadMinFraction {
	case 0:
		reads += ", however short it was."
	case domain.WholeFraction:
		reads += ", if it took at least the post's time to read."
	default:
		reads += ", if it took at least " + t.ReadMinFraction.String() + " of the post's time to read."
	}
	ownComments := "An author's comments under their own post move money as anybody's do."
	if !t.OwnPostCommentPays {
		ownComments = "An author's comments under their own post are recorded and move nothing."
	}
	ownReactions := "An author's reactions to comments under their own post move money as anybody's do."
	if !t.AuthorReactionPays {
		ownReactions = "An author's reactions under their own post are recorded and move nothing."
	}
	return []string{comments, reads, ownComments, ownReactions,
		"Reading one's own post, or reacting to one's own post or comment, moves nothing."}
}
