package eventstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/tweiledger/tweiledger/domain"
)

// notLeaderError: the node is not the leader.
type notLeaderError struct {
	// leader is who is, "" where the node did not say.
	leader string
}

func (e *notLeaderError) Error() string { return "the node is not the leader, " + e.leader + " is" }

// errSilent: nothing came for too long.
var errSilent = errors.New("the store was silent for too long")

// errSlow: the store did not come to it in time, and may serve others as ever.
var errSlow = errors.New("the store was too slow")

// refusal returns the error of a call of the protocol as what its trailers say.
func refusal(err error, trailers metadata.MD) error {
	switch exception := trailers.Get("exception"); {
	case slices.Contains(exception, "not-leader"):
		elsewhere := &notLeaderError{}
		host, port := trailers.Get("leader-endpoint-host"), trailers.Get("leader-endpoint-port")
		if len(host) > 0 && len(port) > 0 {
			elsewhere.leader = net.JoinHostPort(host[0], port[0])
		}
		return elsewhere
	case slices.Contains(exception, "stream-deleted"):
		return fmt.Errorf("%w: %w", err, domain.ErrCorrupt)
	}
	return plain(err)
}

// plain returns an error of gRPC with a text for an operator.
func plain(err error) error {
	switch s, _ := status.FromError(err); s.Code() {
	case codes.Unauthenticated:
		return fmt.Errorf("the store does not know the user, or not with this password: %w", err)
	case codes.PermissionDenied:
		return fmt.Errorf("the store does not let the user do this: %w", err)
	}
	return err
}

// failed returns why a read at a node failed, as the port says it, and gives the node up where it is of no use any
// more.
func (l *Log) failed(ctx context.Context, n *node, err error) error {
	switch {
	case l.finder.ctx.Err() != nil:
		return domain.ErrClosed
	case over(ctx) != nil:
		return over(ctx)
	case errors.Is(err, domain.ErrCorrupt) || errors.Is(err, domain.ErrStreamNotFound):
		return err
	case n.ctx.Err() != nil:
		err = n.lost() // whatever it looks like
	case errors.Is(err, domain.ErrUnavailable): // an append that a read needed was refused
		return err
	case !isDropped(err) && !errors.Is(err, errSlow) && status.Code(err) != codes.PermissionDenied:
		n.lose(err)
	}
	return l.finder.unavailable(err)
}

// over returns why a context has ended, or is just about to: the store knows its deadline too, and may be first.
func over(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// mayPass reports whether a read that failed may go well at once when it is begun again.
func mayPass(err error) bool {
	return errors.Is(err, domain.ErrUnavailable) && !errors.Is(err, errSlow)
}

// isDropped reports whether only the subscription ended, because it was too slow.
func isDropped(err error) bool { return status.Code(err) == codes.Aborted }
