package notify

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"
)

// unseenFor is how long a resolved alert is kept in the snapshot although no
// group holds it as resolved: the dispatcher may not have got to it yet.
const unseenFor = 10 * time.Second

// alertRecord is an alert as a line of the file of alerts.
type alertRecord struct {
	Labels       model.LabelSet `json:"labels"`
	Annotations  model.LabelSet `json:"annotations,omitempty"`
	StartsAt     time.Time      `json:"startsAt"`
	EndsAt       time.Time      `json:"endsAt"`
	UpdatedAt    time.Time      `json:"updatedAt"`
	GeneratorURL string         `json:"generatorURL,omitempty"`
	Timeout      bool           `json:"timeout,omitempty"`
}

// encodeAlerts writes one line of JSON for each alert.
func encodeAlerts(w io.Writer, alerts []*alert.Alert) (int64, error) {
	var size int64
	for _, a := range alerts {
		line, err := json.Marshal(alertRecord{
			Labels: a.Labels, Annotations: a.Annotations,
			StartsAt: a.StartsAt, EndsAt: a.EndsAt, UpdatedAt: a.UpdatedAt,
			GeneratorURL: a.GeneratorURL, Timeout: a.Timeout,
		})
		if err != nil {
			return size, fmt.Errorf("encode alert %s: %w", a.Name(), err)
		}
		n, err := w.Write(append(line, '\n'))
		size += int64(n)
		if err != nil {
			return size, err
		}
	}
	return size, nil
}

// decodeAlerts reads what encodeAlerts wrote. It returns the alerts that are
// valid, and an error that says which lines are not.
func decodeAlerts(r io.Reader) ([]*alert.Alert, error) {
	var (
		alerts []*alert.Alert
		errs   []error
		lines  = bufio.NewReader(r)
	)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return alerts, errors.Join(append(errs, err)...)
		}
		if text := bytes.TrimSpace(line); len(text) > 0 {
			var rec alertRecord
			if jsonErr := json.Unmarshal(text, &rec); jsonErr != nil {
				errs = append(errs, fmt.Errorf("line %d: %w", n, jsonErr))
			} else {
				a := &alert.Alert{
					Alert: model.Alert{
						Labels: rec.Labels, Annotations: rec.Annotations,
						StartsAt: rec.StartsAt, EndsAt: rec.EndsAt, GeneratorURL: rec.GeneratorURL,
					},
					UpdatedAt: rec.UpdatedAt, Timeout: rec.Timeout,
				}
				if badErr := a.Validate(); badErr != nil {
					errs = append(errs, fmt.Errorf("line %d: %w", n, badErr))
				} else {
					alerts = append(alerts, a)
				}
			}
		}
		if err != nil {
			return alerts, errors.Join(errs...)
		}
	}
}

// revive prepares alerts of a former process for this one. Those that were firing
// when they were written get at least grace from now, so that their sender has
// time to confirm or resolve them: nobody was there to listen to it meanwhile.
func revive(alerts []*alert.Alert, written, now time.Time, grace time.Duration) {
	for _, a := range alerts {
		if a.ResolvedAt(written) {
			continue
		}
		if end := now.Add(grace); a.EndsAt.Before(end) {
			a.EndsAt, a.Timeout = end, true
		}
	}
}

// readAlertFile returns the alerts in the file at path, and when it was written.
// A file that does not exist holds none. A line that cannot be read does not keep
// the others back: err then names it, and the alerts are still returned.
func readAlertFile(path string) (alerts []*alert.Alert, written time.Time, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("open alerts: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("stat alerts: %w", err)
	}
	alerts, err = decodeAlerts(f)
	if err != nil {
		err = fmt.Errorf("read %s: %w", path, err)
	}
	return alerts, info.ModTime(), err
}
