package inferences

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/store/inferences/join"
)

func errorsAs[T error](err error, target *T) bool { return errors.As(err, target) }

// childDir names the environment variable that makes this binary a victim.
const childDir = "MODELWATCH_TEST_KILL_DIR"

// ledger is what an analysis would keep: how often it counted each request, and
// up to where. It is written as a whole, together with the position.
type ledger struct {
	Position Position
	Counted  map[string]int
	Joined   map[string]int
}

func readLedger(dir string) (*ledger, error) {
	l := &ledger{Counted: map[string]int{}, Joined: map[string]int{}}
	data, err := os.ReadFile(filepath.Join(dir, "ledger.json"))
	if errors.Is(err, os.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	return l, json.Unmarshal(data, l)
}

func (l *ledger) write(dir string) error {
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, "ledger.json"), data)
}

// child runs a store that is going to be killed: it appends batches and labels
// as fast as it can, prints the identifier of each batch that was accepted, and
// counts what is delivered in a ledger that it checkpoints now and then.
func child() bool {
	dir := os.Getenv(childDir)
	if dir == "" {
		return false
	}
	if err := victim(dir, bufio.NewScanner(os.Stdin)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func victim(dir string, in *bufio.Scanner) error {
	l, err := readLedger(dir)
	if err != nil {
		return err
	}
	var s *Store
	n := 0
	s, err = Open(Options{
		Dir: filepath.Join(dir, "store"), SegmentBytes: 64 << 10, ExportInterval: 5 * time.Millisecond,
		Join: join.Options{MaxMemory: 32 << 10},
		Joined: func(_ Position, joined []Joined) {
			for i := range joined {
				l.Joined[joined[i].RequestID]++
			}
		},
		Deliver: func(pos Position, records []ai.Inference, _ []ai.Label) {
			for i := range records {
				l.Counted[records[i].RequestID]++
			}
			l.Position = pos
			if n++; n%7 != 0 {
				return
			}
			if err := l.write(dir); err != nil {
				panic(err)
			}
			if n%3 == 0 { // Sometimes the kill comes between the two.
				if err := s.Checkpoint(pos); err != nil {
					panic(err)
				}
			}
		},
	})
	if err != nil {
		return err
	}
	// What the ledger has, the store need not deliver again.
	if err := s.Checkpoint(l.Position); err != nil {
		return err
	}
	s.Start()
	<-s.Replayed()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for in.Scan() {
		id := in.Text()
		if id == "end" {
			break
		}
		wg.Go(func() {
			b := victimBatch(id)
			if _, err := s.Append(context.Background(), b); err != nil {
				return // The parent sends it again.
			}
			mu.Lock()
			defer mu.Unlock()
			fmt.Println("accepted " + id)
		})
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		return err
	}
	return l.write(dir)
}

// victimBatch makes the batch of an identifier, "b7" of inferences or "l7" of
// the labels for them.
func victimBatch(id string) Batch {
	b := Batch{ID: id}
	for i := range 10 {
		request := fmt.Sprintf("%s-%d", id[1:], i)
		if id[0] == 'l' {
			b.Labels = append(b.Labels, ai.Label{RequestID: request, Label: ai.String("click"), Timestamp: time.Now().UTC()})
		} else {
			b.Records = append(b.Records, record(request))
		}
	}
	return b
}

func TestKilledAgainAndAgain(t *testing.T) {
	dir := t.TempDir()
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	accepted := map[string]bool{}
	next := 0
	var todo []string // Sent and not answered: to be sent again, as a client does.
	for round := range rounds + 1 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		var problems strings.Builder
		cmd.Stderr = &problems
		require.NoError(t, cmd.Start())
		last := round == rounds
		send := append([]string(nil), todo...)
		if !last {
			for range 25 {
				// Labels come before, after or together with their inferences.
				pair := []string{fmt.Sprint("b", next), fmt.Sprint("l", next)}
				if rand.IntN(4) == 0 {
					pair[0], pair[1] = pair[1], pair[0]
				}
				send = append(send, pair...)
				next++
			}
		}
		go func() {
			for _, id := range send {
				if _, err := fmt.Fprintln(in, id); err != nil {
					return // It was killed.
				}
				if !last {
					time.Sleep(time.Duration(rand.IntN(400)) * time.Microsecond)
				}
			}
			if last {
				_, _ = fmt.Fprintln(in, "end")
			}
		}()
		kill := sync.OnceFunc(func() {
			if !last {
				time.AfterFunc(time.Duration(rand.IntN(40))*time.Millisecond, func() { _ = cmd.Process.Kill() })
			}
		})
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			kill() // A while after it has begun to work.
			if id, ok := strings.CutPrefix(lines.Text(), "accepted "); ok {
				accepted[id] = true
			}
		}
		err = cmd.Wait()
		if last {
			require.NoError(t, err, problems.String())
		}
		require.NotContains(t, problems.String(), "panic")
		todo = todo[:0]
		for _, id := range send {
			if !accepted[id] {
				todo = append(todo, id)
			}
		}
	}
	require.Empty(t, todo)
	require.Len(t, accepted, 2*next)
	l, err := readLedger(dir)
	require.NoError(t, err)
	wrong := 0
	for i := range next {
		for j := range 10 {
			request := fmt.Sprintf("%d-%d", i, j)
			if l.Counted[request] != 1 || l.Joined[request] != 1 {
				if wrong++; wrong < 10 {
					t.Errorf("request %s was counted %d times and joined %d times", request, l.Counted[request], l.Joined[request])
				}
			}
		}
	}
	require.Len(t, l.Counted, 10*next)
	t.Logf("%d batches over %d kills, %d wrong", 2*next, rounds, wrong)

	// The raw inferences have each once too.
	s, _ := open(t, filepath.Join(dir, "store"), nil)
	rows, err := s.List(t.Context(), Filter{Limit: 10_000})
	require.NoError(t, err)
	seen := map[string]int{}
	for i := range rows {
		seen[rows[i].RequestID]++
	}
	require.Len(t, seen, min(10*next, 10_000))
	for id, n := range seen {
		require.Equal(t, 1, n, id)
	}
}
