// Package baselines is what the subcommands of `modelwatch baseline` do: they make,
// show, switch, confirm, export and import baselines of a running modelwatch.
//
// It prints for people, or the server's own JSON for programs. What a baseline is, and
// whether a file is good for one, the server decides.
package baselines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/modelwatch/modelwatch/app/remote"
)

// Commands runs them. Out takes what people want to see, and In is the standard input.
type Commands struct {
	Client *remote.Client
	In     io.Reader
	Out    io.Writer
	// JSON prints the server's documents instead of tables.
	JSON bool
}

// Info is what the server says about a baseline, as far as it is printed.
type Info struct {
	ID        string    `json:"id"`
	Number    int       `json:"number"`
	Service   string    `json:"service"`
	Model     string    `json:"model"`
	Version   string    `json:"model_version"`
	Created   time.Time `json:"created"`
	Source    string    `json:"source"`
	Note      string    `json:"note"`
	Confirmed bool      `json:"confirmed"`
	Active    bool      `json:"active"`
	Rows      uint64    `json:"rows"`
	Features  int       `json:"features"`
	Labelled  uint64    `json:"labelled"`
}

// Key selects a model version. Empty fields mean any, or what a document says.
type Key struct{ Service, Model, Version string }

func (k Key) query() url.Values {
	q := url.Values{}
	for name, v := range map[string]string{"service": k.Service, "model": k.Model, "version": k.Version} {
		if v != "" {
			q.Set(name, v)
		}
	}
	return q
}

// Source says what a new baseline is made of: a file, or a range of time.
type Source struct {
	Key
	// File is a path, or - for the standard input.
	File string
	// Format is csv, ndjson or parquet; empty means by the name of the file.
	Format string
	// Prediction and Label are columns that are no features; Exclude are left out.
	Prediction, Label string
	Exclude           []string
	// From and To bound past inferences; RFC 3339, or how long ago (24h).
	From, To string
	Note     string
	// Unused leaves the baseline in use as it is.
	Unused bool
}

var contentTypes = map[string]string{
	"csv": "text/csv", "ndjson": "application/x-ndjson", "parquet": "application/vnd.apache.parquet",
}

// FormatOf returns the format by the name of a file: csv, ndjson, parquet, or nothing.
func FormatOf(file string) string {
	switch strings.ToLower(filepath.Ext(strings.TrimSuffix(strings.TrimSuffix(file, ".gz"), ".zst"))) {
	case ".csv":
		return "csv"
	case ".ndjson", ".jsonl", ".json":
		return "ndjson"
	case ".parquet", ".pq":
		return "parquet"
	default:
		return ""
	}
}

const path = "/ai/v1/baselines"

// Create makes a baseline.
func (c *Commands) Create(ctx context.Context, s Source) error {
	ranged := s.From != "" || s.To != ""
	switch {
	case s.Model == "":
		return errors.New("say which model it is of with --model")
	case ranged == (s.File != ""):
		return errors.New("say what it is made of: a file with --file, or past inferences with --from and --to")
	case ranged:
		return c.fromRange(ctx, s)
	}
	return c.fromFile(ctx, s)
}

func (c *Commands) fromFile(ctx context.Context, s Source) error {
	if s.Format == "" {
		if s.Format = FormatOf(s.File); s.Format == "" {
			return fmt.Errorf("the name %s does not say what is in the file: add --format csv, ndjson or parquet", s.File)
		}
	}
	body, done, err := c.open(s.File)
	if err != nil {
		return err
	}
	defer done()
	q := s.query()
	for name, v := range map[string]string{
		"note": s.Note, "prediction": s.Prediction, "label": s.Label, "exclude": strings.Join(s.Exclude, ","),
	} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if s.Unused {
		q.Set("activate", "false")
	}
	return c.make(ctx, remote.Request{Method: http.MethodPost, Path: path, Query: q, Body: body, ContentType: contentTypes[s.Format]}, nil)
}

// open opens a file, or the standard input for -, and takes off compression that its
// name tells of.
func (c *Commands) open(file string) (io.Reader, func(), error) {
	if file == "-" {
		return c.In, func() {}, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, fmt.Errorf("read reference data: %w", err)
	}
	done := func() { _ = f.Close() }
	if info, err := f.Stat(); err == nil && info.IsDir() {
		done()
		return nil, nil, fmt.Errorf("read reference data: %s is a directory: name one file", file)
	}
	plain, end, err := Decompress(f, file)
	if err != nil {
		done()
		return nil, nil, fmt.Errorf("read reference data: %s: %w", file, err)
	}
	return plain, func() { end(); done() }, nil
}

func (c *Commands) fromRange(ctx context.Context, s Source) error {
	from, err := Moment("--from", s.From)
	if err != nil {
		return err
	}
	to, err := Moment("--to", s.To)
	if err != nil {
		return err
	}
	document := map[string]string{"from": from, "to": to}
	if s.Note != "" {
		document["note"] = s.Note
	}
	q := s.query()
	if s.Unused {
		q.Set("activate", "false")
	}
	return c.make(ctx, remote.Request{Method: http.MethodPost, Path: path, Query: q}, document)
}

// Moment reads how long ago, or leaves a time to the server. Nothing means now.
func Moment(flag, s string) (string, error) {
	if s == "" || s == "now" {
		return time.Now().UTC().Format(time.RFC3339), nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return time.Now().Add(-d).UTC().Format(time.RFC3339), nil
	}
	if _, err := time.Parse(time.RFC3339, s); err != nil {
		return "", fmt.Errorf("%s is %q: write RFC 3339 (2006-01-02T15:04:05Z), or how long ago (24h)", flag, s)
	}
	return s, nil
}

// make sends what a baseline is made of and says what came of it.
func (c *Commands) make(ctx context.Context, q remote.Request, in any) error {
	var info Info
	if err := c.ask(ctx, q, in, &info); err != nil || c.JSON {
		return err
	}
	use := "It is in use from the next window on."
	if !info.Active {
		use = "It is not in use: modelwatch baseline use " + info.ID + " switches to it."
	}
	return c.say("Baseline %d of %s: %s, %d rows, %d features.\n%s\n", info.Number, info.key(), info.ID, info.Rows, info.Features, use)
}

func (i *Info) key() string {
	s := i.Service + "/" + i.Model
	if i.Version != "" {
		s += "@" + i.Version
	}
	return s
}

// ask asks for a document, and prints it as it is where JSON is wanted.
func (c *Commands) ask(ctx context.Context, q remote.Request, in, out any) error {
	var raw json.RawMessage
	if err := c.Client.JSON(ctx, q, in, &raw); err != nil {
		return err
	}
	if c.JSON {
		return c.print(raw)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}

func (c *Commands) print(doc any) error {
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("write document: %w", err)
	}
	return c.say("%s\n", text)
}

func (c *Commands) say(format string, args ...any) error {
	if _, err := fmt.Fprintf(c.Out, format, args...); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// List prints the baselines of a model version, or all.
func (c *Commands) List(ctx context.Context, k Key) error {
	var list struct {
		Baselines []Info `json:"baselines"`
	}
	if err := c.ask(ctx, remote.Request{Path: path, Query: k.query()}, nil, &list); err != nil || c.JSON {
		return err
	}
	if len(list.Baselines) == 0 {
		return c.say("There are no baselines.\n")
	}
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ID\tSERVICE\tMODEL\tVERSION\tNUMBER\tSTATE\tSOURCE\tROWS\tFEATURES\tCREATED\tNOTE") // Errors come with Flush.
	for i := range list.Baselines {
		b := &list.Baselines[i]
		_, _ = fmt.Fprintln(w, strings.Join([]string{
			b.ID, b.Service, b.Model, orDash(b.Version), strconv.Itoa(b.Number), b.state(), b.Source,
			strconv.FormatUint(b.Rows, 10), strconv.Itoa(b.Features), b.Created.UTC().Format(time.RFC3339), b.Note,
		}, "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// state says whether it is in use, and whether somebody found it right.
func (i *Info) state() string {
	switch {
	case i.Active && i.Confirmed:
		return "in use"
	case i.Active:
		return "in use, unconfirmed"
	case i.Confirmed:
		return "spare"
	default:
		return "spare, unconfirmed"
	}
}

// one is the path of a baseline.
func one(id, rest string) string { return path + "/" + url.PathEscape(id) + rest }

// Show prints one baseline.
func (c *Commands) Show(ctx context.Context, id string) error {
	return c.tell(ctx, remote.Request{Path: one(id, "")})
}

// Use switches to a baseline.
func (c *Commands) Use(ctx context.Context, id string) error {
	return c.tell(ctx, remote.Request{Method: http.MethodPost, Path: one(id, "/activate")})
}

// Confirm notes that somebody has looked at a baseline and found it right.
func (c *Commands) Confirm(ctx context.Context, id string) error {
	return c.tell(ctx, remote.Request{Method: http.MethodPost, Path: one(id, "/confirm")})
}

func (c *Commands) tell(ctx context.Context, q remote.Request) error {
	var b Info
	if err := c.ask(ctx, q, nil, &b); err != nil || c.JSON {
		return err
	}
	return c.say("id        %s\nof        %s\nnumber    %d\nstate     %s\nsource    %s\ncreated   %s\nrows      %d, %d of them with a known truth\nfeatures  %d\nnote      %s\n",
		b.ID, b.key(), b.Number, b.state(), b.Source, b.Created.UTC().Format(time.RFC3339), b.Rows, b.Labelled, b.Features, orDash(b.Note))
}

// Delete forgets a baseline that is not in use.
func (c *Commands) Delete(ctx context.Context, id string) error {
	if err := c.Client.JSON(ctx, remote.Request{Method: http.MethodDelete, Path: one(id, "")}, nil, nil); err != nil {
		return err
	}
	return c.say("Deleted %s.\n", id)
}

// Export writes a baseline to a file, whole or not at all; an empty name or - means Out.
// The single records that it has are in it unless bare is set.
func (c *Commands) Export(ctx context.Context, id, file string, bare bool) error {
	q := remote.Request{Path: one(id, "/export")}
	if bare {
		q.Query = url.Values{"records": {"false"}}
	}
	if file == "" || file == "-" {
		_, err := c.Client.Download(ctx, q, c.Out)
		return err
	}
	return remote.WriteFile(file, func(w io.Writer) error {
		_, err := c.Client.Download(ctx, q, w)
		return err
	})
}

// Import sends an exported document as a new baseline. Fields of k that are not empty
// take the place of the document's.
func (c *Commands) Import(ctx context.Context, file string, k Key, unused bool) error {
	if file == "" {
		return errors.New("say which document to take in with --file")
	}
	body, done, err := c.open(file)
	if err != nil {
		return err
	}
	defer done()
	q := k.query()
	if unused {
		q.Set("activate", "false")
	}
	return c.make(ctx, remote.Request{Method: http.MethodPost, Path: path, Query: q, Body: body, ContentType: "application/json"}, nil)
}
