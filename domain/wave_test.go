package domain_test

import (
	"slices"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/logtest"
	"github.com/tweiledger/tweiledger/domain"
)

// A wave is appended in two parts. The first has all that a later wave waits for, the second goes with that wave.
func TestWavesAreAppendedInParts(t *testing.T) {
	for name, row := range map[string]struct {
		batch []domain.Engagement
		want  [][]string
	}{
		"too few to split":      {[]domain.Engagement{like("a"), like("b"), like("c")}, [][]string{{"a", "b", "c"}}},
		"nothing waits":         {[]domain.Engagement{like("a"), like("b"), like("c"), like("d")}, [][]string{{"a", "b"}, {"c", "d"}}},
		"a switch of the first": {[]domain.Engagement{like("a"), like("b"), like("c"), like("d"), unlike("a")}, [][]string{{"a", "b"}, {"c", "d", "a"}}},
		"a switch of the third": {[]domain.Engagement{like("a"), like("b"), like("c"), like("d"), unlike("c")}, [][]string{{"a", "b", "c"}, {"d", "c"}}},
		"a switch of the last":  {[]domain.Engagement{like("a"), like("b"), like("c"), like("d"), unlike("d")}, [][]string{{"a", "b", "c", "d"}, {"d"}}},
		"a change of the post":  {[]domain.Engagement{like("a"), like("b"), like("c"), like("d"), changed("p1", 90)}, [][]string{{"a", "b", "c", "d"}, {""}}},
		"one after the other":   {[]domain.Engagement{like("a"), unlike("a"), like("b"), like("c"), like("d")}, [][]string{{"a", "b"}, {"c", "d", "a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, logtest.MemoryOptions{})
			f.must(published("p1", "ann"))
			var got [][]string
			l := f.second(hook(&hookedLog{beforeAppend: func(appends []domain.Append) {
				var accounts []string
				for _, a := range appends {
					_, _, account, _ := a.Stream.Parse()
					accounts = append(accounts, account)
				}
				got = append(got, accounts)
			}}))
			for _, o := range l.Record(t.Context(), received(row.batch...)) {
				f.recorded(o)
			}
			if !slices.EqualFunc(got, row.want, slices.Equal) {
				t.Errorf("appended %q, want %q", got, row.want)
			}
		})
	}
}

func like(actor string) domain.Engagement   { return liked("p1", actor) }
func unlike(actor string) domain.Engagement { return disliked("p1", actor) }

// The second part of a wave is decided while the log is busy with the first.
func TestDecidingWhileAppending(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	f.must(published("p1", "ann"))
	deciding := make(chan struct{})
	appends := 0
	l := f.second(hook(&hookedLog{
		failStream: func(s domain.Stream) error {
			if s == domain.PostReactionStream("p1", "d") {
				close(deciding)
			}
			return nil
		},
		beforeAppend: func([]domain.Append) {
			if appends++; appends > 1 {
				return
			}
			select {
			case <-deciding:
			case <-time.After(time.Minute):
				t.Error("the second part waits for the first one's append")
			}
		},
	}))
	for _, o := range l.Record(t.Context(), received(like("a"), like("b"), like("c"), like("d"))) {
		f.recorded(o)
	}
}

// What fails in the first part of a wave takes with it what builds on it, and not the second part.
func TestFailureBesideWhatIsDecided(t *testing.T) {
	f := newFixture(t, logtest.MemoryOptions{})
	f.must(published("p1", "ann"))
	l := f.second(hook(&hookedLog{failStream: func(s domain.Stream) error {
		if s == domain.PostReactionStream("p1", "a") {
			return errAway
		}
		return nil
	}}))
	outcomes := l.Record(t.Context(), received(like("a"), like("b"), like("c"), like("d"), unlike("a")))
	for i, o := range outcomes {
		want := domain.Recorded
		if i == 0 || i == 4 {
			want = domain.Failed
		}
		if o.Result != want {
			t.Errorf("%d: %s, want it %s", i, o.AppendJSON(nil, "", 0), want)
		}
	}
}
