package esdbtest

import (
	"fmt"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// refusal is an error of the server: a status, and what it says in trailers.
type refusal struct {
	code     codes.Code
	text     string
	trailers metadata.MD
}

func (r *refusal) Error() string { return r.text }

// GRPCStatus has gRPC send the refusal's code and text.
func (r *refusal) GRPCStatus() *status.Status { return status.New(r.code, r.text) }

// What the server answers in place of a result.
var (
	errNotReady     = &refusal{codes.Unavailable, "Server Is Not Ready", nil}
	errDropped      = &refusal{codes.Unavailable, "the connection was dropped", nil}
	errClosing      = &refusal{codes.Unavailable, "the server is shutting down", nil}
	errCredentials  = &refusal{codes.Unauthenticated, "the credentials are wrong", nil}
	errAccessDenied = &refusal{codes.PermissionDenied, "Access Denied", metadata.Pairs("exception", "access-denied")}
	errTooLarge     = &refusal{
		codes.InvalidArgument, fmt.Sprintf("Maximum Append Size of %d Exceeded.", MaxAppendBytes),
		metadata.Pairs("exception", "maximum-append-size-exceeded",
			"maximum-append-size", strconv.Itoa(MaxAppendBytes)),
	}
)

func timedOut(what string) *refusal {
	return &refusal{codes.Aborted, "Operation timed out: " + what, nil}
}

func invalid(format string, args ...any) *refusal {
	return &refusal{codes.InvalidArgument, fmt.Sprintf(format, args...), nil}
}

func missingProperty(name string) *refusal {
	return &refusal{
		codes.InvalidArgument, fmt.Sprintf("Required Metadata Property '%s' is missing", name),
		metadata.Pairs("exception", "missing-required-metadata-property",
			"required-metadata-properties", keyType+","+keyContentType),
	}
}

func deletedStream(name string) *refusal {
	return &refusal{
		codes.FailedPrecondition, fmt.Sprintf("Event stream '%s' is deleted.", name),
		metadata.Pairs("exception", "stream-deleted", "stream-name", name),
	}
}

func notLeader(leader *Node) *refusal {
	return &refusal{codes.NotFound, "Leader info available", metadata.Pairs(
		"exception", "not-leader",
		"leader-endpoint-host", leader.endpoint.IP.String(),
		"leader-endpoint-port", strconv.Itoa(leader.endpoint.Port),
	)}
}

func wrongVersion(operation, stream string, expected, actual int64) *refusal {
	return &refusal{
		codes.FailedPrecondition,
		fmt.Sprintf("%s failed due to WrongExpectedVersion. Stream: %s, Expected version: %d, Actual version: %d",
			operation, stream, expected, actual),
		metadata.Pairs("exception", "wrong-expected-version", "stream-name", stream,
			"expected-version", strconv.FormatInt(expected, 10), "actual-version", strconv.FormatInt(actual, 10)),
	}
}
