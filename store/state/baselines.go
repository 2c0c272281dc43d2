package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

// Baseline is one baseline of a model version. Info is small and says what it
// is; Data is the whole baseline.
type Baseline struct {
	ID     string
	Key    ai.Key
	Number int
	Active bool
	Info   []byte
	Data   []byte
}

// Baselines returns all baselines without their Data, by key and number.
func (d *DB) Baselines(ctx context.Context) ([]Baseline, error) {
	rows, err := d.read.QueryContext(ctx, `SELECT id, service, model, version, number, active, info FROM baselines
		ORDER BY service, model, version, number, id`)
	if err != nil {
		return nil, fmt.Errorf("list baselines: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []Baseline
	for rows.Next() {
		var b Baseline
		if err := rows.Scan(&b.ID, &b.Key.Service, &b.Key.Model, &b.Key.Version, &b.Number, &b.Active, &b.Info); err != nil {
			return nil, fmt.Errorf("list baselines: %w", err)
		}
		out = append(out, b)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list baselines: %w", err)
	}
	return out, nil
}

// Baseline returns one baseline with its Data; ok is false where there is none.
func (d *DB) Baseline(ctx context.Context, id string) (b Baseline, ok bool, err error) {
	err = d.read.QueryRowContext(ctx, "SELECT id, service, model, version, number, active, info, data FROM baselines WHERE id = ?", id).
		Scan(&b.ID, &b.Key.Service, &b.Key.Model, &b.Key.Version, &b.Number, &b.Active, &b.Info, &b.Data)
	if errors.Is(err, sql.ErrNoRows) {
		return Baseline{}, false, nil
	}
	if err != nil {
		return Baseline{}, false, fmt.Errorf("read baseline %q: %w", id, err)
	}
	return b, true, nil
}

// SaveBaseline stores a baseline durably in place of the one with the same id. If
// it is active, the others of its key are not from then on. Nil Data leaves what
// is stored.
func (d *DB) SaveBaseline(ctx context.Context, b Baseline) error {
	if b.ID == "" {
		return errors.New("store baseline: it has no id")
	}
	if b.Info == nil {
		b.Info = []byte{}
	}
	err := d.change(ctx, func(tx *sql.Tx) error {
		if b.Active {
			if _, err := tx.ExecContext(ctx, "UPDATE baselines SET active = 0 WHERE service = ? AND model = ? AND version = ?",
				b.Key.Service, b.Key.Model, b.Key.Version); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO baselines VALUES (?, ?, ?, ?, ?, ?, ?, coalesce(?, x''))
			ON CONFLICT (id) DO UPDATE SET service = excluded.service, model = excluded.model, version = excluded.version,
			number = excluded.number, active = excluded.active, info = excluded.info, data = CASE WHEN ? THEN excluded.data ELSE data END`,
			b.ID, b.Key.Service, b.Key.Model, b.Key.Version, b.Number, b.Active, b.Info, b.Data, b.Data != nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("store baseline %q: %w", b.ID, err)
	}
	return nil
}

// DeleteBaseline forgets a baseline; one that is not there is no error.
func (d *DB) DeleteBaseline(ctx context.Context, id string) error {
	if _, err := d.write.ExecContext(ctx, "DELETE FROM baselines WHERE id = ?", id); err != nil {
		return fmt.Errorf("delete baseline %q: %w", id, err)
	}
	return nil
}
