package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"github.com/tweiledger/tweiledger/adapters/httpapi"
	"github.com/tweiledger/tweiledger/adapters/workload"
)

// benchConnections is over how many connections statements are asked for at the same time.
const benchConnections = 16

// referenceHeader tells the reference handler how many bytes to answer with. All requests carry it, so that they cost
// as much to read; with 0 the API itself answers.
const referenceHeader = "Bench-Reference"

// measureReadStatement measures statements of posts, accounts and accounts under posts over the answers of a handler in
// the same place that only writes as many bytes, from the same process to the same requests.
func measureReadStatement(ctx context.Context, r *benchRun) (f figures, err error) {
	f.Unit = "1/s"
	log, err := r.large(ctx)
	if err != nil {
		return f, err
	}
	server, err := r.startChild(ctx, "bench-server", "--data", log.dir)
	if err != nil {
		return f, err
	}
	defer server.kill()
	client, err := dialBench(ctx, server.origin, benchConnections)
	if err != nil {
		return f, err
	}
	defer client.close()
	bar := newBar(r.notes, "read_statement", "rounds", int64(r.rounds))
	defer bar.Exit()
	rng := rand.New(rand.NewPCG(1, 0))
	// The first round fills caches and counts for nothing.
	for round := range r.rounds + 1 {
		paths := r.statementPaths(rng, log)
		var size int
		numerator, err := perSecond(len(paths), func() (err error) {
			size, err = client.ask(paths, 0)
			return err
		})
		if err != nil {
			return f, err
		}
		denominator, err := perSecond(len(paths), func() error {
			_, err := client.ask(paths, size/len(paths))
			return err
		})
		if err != nil {
			return f, err
		}
		if round > 0 {
			f.add(numerator, denominator)
			_ = bar.Add(1)
		}
	}
	return f, nil
}

// statementPaths draws the paths of a round: posts, accounts, and accounts under posts where something happened, as
// many of each.
func (r *benchRun) statementPaths(rng *rand.Rand, log *filledLog) []string {
	paths := make([]string, r.requests)
	for i := range paths {
		switch i % 3 {
		case 0:
			paths[i] = fmt.Sprintf("/v1/posts/post-%d/pnl", rng.IntN(r.posts))
		case 1:
			paths[i] = fmt.Sprintf("/v1/accounts/account-%d/pnl", rng.IntN(workload.DefaultAccounts))
		default:
			pair := log.pairs[rng.IntN(len(log.pairs))]
			paths[i] = "/v1/posts/" + pair.PostID + "/pnl?account=" + pair.AccountID
		}
	}
	return paths
}

// addReferences lets the routes of statements answer with a number of bytes where a request says how many. The
// reference stands where the statements do, so that finding it costs as much: behind the same middleware, at the same
// place of the router, with the same variables.
func addReferences(api *httpapi.API) {
	// It only fails where the function does.
	_ = api.Router().Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		if path, err := route.GetPathTemplate(); err == nil && strings.HasSuffix(path, "/pnl") {
			route.Handler(referenceOr(route.GetHandler()))
		}
		return nil
	})
}

// maxReferenceBytes is the longest reference.
const maxReferenceBytes = 64 << 10

// referenceOr answers with as many bytes as a request says, and leaves the others to a handler.
func referenceOr(statement http.Handler) http.HandlerFunc {
	body := make([]byte, maxReferenceBytes)
	return func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.Header.Get(referenceHeader))
		if n < 1 || n > len(body) {
			statement.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(n))
		_, _ = w.Write(body[:n]) // who does not read it cannot be told
	}
}
