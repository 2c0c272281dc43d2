package client

import "time"

// Stats tells what became of the records, inferences and labels alike:
//
//	Recorded = Sent + Rejected + Dropped + Queued
type Stats struct {
	// Recorded counts the calls of Record and Label.
	Recorded uint64
	// Sent counts the records that the server has accepted.
	Sent uint64
	// Rejected counts those that it named as bad, in batches otherwise accepted.
	Rejected uint64
	// Dropped counts those that were lost, for the reasons in Drops.
	Dropped uint64
	// Drops divides Dropped by reason.
	Drops Drops
	// Queued is how many are held now, waiting or in flight.
	Queued int
	// Retries counts repeated requests.
	Retries uint64
	// NulledValues counts values inside records that JSON cannot hold (NaN,
	// infinities, functions), sent as null.
	NulledValues uint64
	// ExtractPanics counts panics in Watch.Extract, whose records were sent with
	// what it had filled in by then.
	ExtractPanics uint64
	// LastError is the latest failure, and LastErrorTime when it happened. A
	// success does not clear them.
	LastError     error
	LastErrorTime time.Time
	// LastRejection is the server's reason for the latest record it rejected.
	LastRejection string
}

// Drops divides the records lost by reason.
type Drops struct {
	// QueueFull counts records that came while Options.QueueSize were held.
	QueueFull uint64
	// Refused counts records of requests that the server answered with an error
	// that does not pass by waiting, such as 400, 401 or 404.
	Refused uint64
	// GaveUp counts records of requests that failed for Options.RetryFor.
	GaveUp uint64
	// Closed counts records that came after Close, or that Close had no more
	// time for.
	Closed uint64
}
