package inferences

import "errors"

// child runs the child of a test; it is filled in by the kill test.
func child() bool { return false }

func errorsAs[T error](err error, target *T) bool { return errors.As(err, target) }
