package local

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	logstore "github.com/modelwatch/modelwatch/store/logs"
	"github.com/modelwatch/modelwatch/store/logs/contract"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(fullDir); dir != "" {
		fillDisk(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

var _ logstore.Store = (*Store)(nil)

func open(t *testing.T, o Options) *Store {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestContract(t *testing.T) {
	contract.Run(t, contract.Subject{
		Open: func(t *testing.T) logstore.Store { return open(t, Options{}) },
	})
}

// TestContractSealed runs the same suite with every day sealed before it is read.
func TestContractSealed(t *testing.T) {
	contract.Run(t, contract.Subject{
		Open: func(t *testing.T) logstore.Store { return open(t, Options{}) },
		Settle: func(t *testing.T, s logstore.Store) {
			for _, d := range s.(*Store).Status().Days {
				require.NoError(t, s.(*Store).Seal(t.Context(), d.Day))
			}
		},
	})
}

// TestContractReopened runs it with the store closed and opened again before it is read.
func TestContractReopened(t *testing.T) {
	contract.Run(t, contract.Subject{
		Open: func(t *testing.T) logstore.Store { return &reopened{Store: open(t, Options{})} },
		Settle: func(t *testing.T, s logstore.Store) {
			r := s.(*reopened)
			dir := r.o.Dir
			require.NoError(t, r.Store.Close())
			r.Store = open(t, Options{Dir: dir})
		},
	})
}

type reopened struct{ *Store }
