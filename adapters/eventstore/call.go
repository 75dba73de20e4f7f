package eventstore

import (
	"context"
	"errors"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"

	"github.com/tweiledger/tweiledger/domain"
)

// searchWindow is how many events of others the store looks at before it says how far it is.
const searchWindow = 1000

// recorded is an event as the store gives it.
type recorded = streams.ReadResp_ReadEvent_RecordedEvent

// receiver returns the next event of a call, nil for a sign of life; io.EOF at the end.
type receiver func() (*recorded, error)

// call reads from the leader, or subscribes, until ctx ends. For a connection, and for room for another call on it, it
// waits no longer than a call may take.
func (l *Log) call(ctx context.Context, conn *grpc.ClientConn, request *streams.ReadReq) (receiver, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(l.deadline, func() { cancel(errSilent) })
	read, err := streams.NewStreamsClient(conn).Read(fromLeader(ctx), request)
	switch late.Stop(); {
	case context.Cause(ctx) == errSilent && conn.GetState() == connectivity.Ready:
		return nil, errSlow
	case context.Cause(ctx) == errSilent:
		return nil, errSilent
	case err != nil:
		return nil, refusal(err, nil)
	}
	subscribed := request.GetOptions().GetSubscription() != nil
	return func() (*recorded, error) {
		answer, err := read.Recv()
		switch {
		case isEnd(err):
			return nil, err
		case err != nil:
			return nil, refusal(err, read.Trailer())
		case answer.GetStreamNotFound() != nil:
			return nil, domain.ErrStreamNotFound
		case answer.GetContent() == nil && !subscribed:
			return nil, errors.New("the store answered with a message of no known kind")
		}
		// Without an event it is a confirmation, a checkpoint, whose position is not used, as some servers send a bogus
		// one, or news that newer servers have of a subscription.
		return answer.GetEvent().GetEvent(), nil
	}, nil
}

// streamRequest asks for events of a stream, so many at the most.
func (l *Log) streamRequest(stream domain.Stream, from domain.Revision, most uint64) *streams.ReadReq {
	return readRequest(&streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(l.prefix + string(stream))},
			RevisionOption:   &streams.ReadReq_Options_StreamOptions_Revision{Revision: uint64(from)},
		}},
		ReadDirection: streams.ReadReq_Options_Forwards,
		CountOption:   &streams.ReadReq_Options_Count{Count: most},
		FilterOption:  &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
	})
}

// lastRequest asks for the last event under the prefix.
func (l *Log) lastRequest() *streams.ReadReq {
	return readRequest(&streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
			AllOption: &streams.ReadReq_Options_AllOptions_End{End: &shared.Empty{}},
		}},
		ReadDirection: streams.ReadReq_Options_Backwards,
		CountOption:   &streams.ReadReq_Options_Count{Count: 1},
		FilterOption:  l.filter(),
	})
}

// subscriptionRequest asks for all events under the prefix behind a position, and those that come.
func (l *Log) subscriptionRequest(after domain.Position) *streams.ReadReq {
	all := &streams.ReadReq_Options_AllOptions{
		AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}},
	}
	if !after.IsStart() {
		commit, prepare := after.Numbers()
		all.AllOption = &streams.ReadReq_Options_AllOptions_Position{
			Position: &streams.ReadReq_Options_Position{CommitPosition: commit, PreparePosition: prepare},
		}
	}
	return readRequest(&streams.ReadReq_Options{
		StreamOption:  &streams.ReadReq_Options_All{All: all},
		ReadDirection: streams.ReadReq_Options_Forwards,
		CountOption: &streams.ReadReq_Options_Subscription{
			Subscription: &streams.ReadReq_Options_SubscriptionOptions{},
		},
		FilterOption: l.filter(),
	})
}

// filter lets through what is to be read.
func (l *Log) filter() *streams.ReadReq_Options_Filter {
	names := &streams.ReadReq_Options_FilterOptions_Expression{Regex: l.pattern}
	if l.pattern == "" {
		names.Prefix = []string{l.prefix}
	}
	return &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
		Filter:                       &streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: names},
		Window:                       &streams.ReadReq_Options_FilterOptions_Max{Max: searchWindow},
		CheckpointIntervalMultiplier: 1,
	}}
}

func readRequest(options *streams.ReadReq_Options) *streams.ReadReq {
	options.UuidOption = &streams.ReadReq_Options_UUIDOption{
		Content: &streams.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}},
	}
	return &streams.ReadReq{Options: options}
}
