package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"
)

// starters are the two systems; they are measured in turn.
var starters = []struct {
	name  string
	start func(settings, string, files) (*system, error)
}{
	{"modelwatch", startModelwatch},
	{"peers", startPeers},
}

const idleConfig = "global: {scrape_interval: 15s, evaluation_interval: 15s}\n"

// measureIdle starts each system several times on an empty directory, and
// looks at its memory after half a minute of idling.
func measureIdle(s settings, r *report) error {
	for i := range s.starts {
		for _, st := range starters {
			begin := time.Now()
			sys, err := st.start(s, filepath.Join(s.dir, "idle", st.name, strconv.Itoa(i)), files{prometheus: idleConfig})
			if err != nil {
				return err
			}
			if err := sys.waitReady(); err != nil {
				return errors.Join(err, sys.stop())
			}
			r.add("ready_seconds", st.name, time.Since(begin).Seconds())
			if i == 0 || i == s.starts-1 {
				time.Sleep(30 * time.Second)
				rss, anonymous, err := sys.resident()
				if err != nil {
					return err
				}
				r.add("idle_resident_bytes", st.name, rss)
				r.add("idle_anonymous_bytes", st.name, anonymous)
			}
			if err := sys.stop(); err != nil {
				return err
			}
		}
	}
	return nil
}

// target serves n series; their values change from scrape to scrape.
func target(n, number int) http.Handler {
	const variants = 4
	var pages [variants][]byte
	for v := range variants {
		var b strings.Builder
		b.WriteString("# TYPE bench_requests_total counter\n")
		for i := range n {
			fmt.Fprintf(&b, "bench_requests_total{shard=\"%d\",model=\"m%d\",endpoint=\"/predict\",code=\"%d\"} %d\n", i, i%17, 200+i%3, i*7+v*(i%5))
		}
		pages[v] = []byte(b.String())
	}
	var scrapes atomic.Int64
	scrapes.Store(int64(number))
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write(pages[scrapes.Add(1)%variants])
	})
}

func serve(h http.Handler) (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(l) }()
	return l.Addr().String(), func() { _ = srv.Close() }, nil
}

// queries are five that dashboards and rules ask.
var queries = []struct{ name, path string }{
	{"instant_selector", `/api/v1/query?query=` + url.QueryEscape(`bench_requests_total{shard="77"}`)},
	{"instant_sum_rate", `/api/v1/query?query=` + url.QueryEscape(`sum by (model) (rate(bench_requests_total[1m]))`)},
	{"instant_topk", `/api/v1/query?query=` + url.QueryEscape(`topk(10, bench_requests_total)`)},
	{"range_selector", `/api/v1/query_range?step=5&query=` + url.QueryEscape(`bench_requests_total{shard=~"1.."}`)},
	{"range_ratio", `/api/v1/query_range?step=5&query=` + url.QueryEscape(`sum(rate(bench_requests_total{code="201",shard=~"..?"}[30s])) / sum(rate(bench_requests_total{shard=~"..?"}[30s]))`)},
}

// measureScraping lets both systems scrape the same series over the same time,
// so that whatever else the machine does weighs on both alike, then asks them
// the same queries in turn.
func measureScraping(s settings, r *report) (err error) {
	var addresses []string
	for i := range s.targets {
		address, stop, err := serve(target(s.series/s.targets, i))
		if err != nil {
			return err
		}
		defer stop()
		addresses = append(addresses, "'"+address+"'")
	}
	config := fmt.Sprintf("global: {scrape_interval: %s}\nscrape_configs: [{job_name: bench, static_configs: [{targets: [%s]}]}]\n", s.scrape, strings.Join(addresses, ", "))
	both := map[string]*system{}
	defer func() {
		for _, sys := range both {
			err = errors.Join(err, sys.stop())
		}
	}()
	for _, st := range starters {
		sys, err := st.start(s, filepath.Join(s.dir, "scrape", st.name), files{prometheus: config})
		if err != nil {
			return err
		}
		both[st.name] = sys
		if err := sys.waitReady(); err != nil {
			return err
		}
	}
	time.Sleep(10*time.Second + 4*s.scrape) // The first scrapes make the series.
	const parts = 5
	for range parts {
		before := map[string]work{}
		for name, sys := range both {
			if before[name], err = sys.work(); err != nil {
				return err
			}
		}
		time.Sleep(s.measure / parts)
		for name, sys := range both {
			after, err := sys.work()
			if err != nil {
				return err
			}
			samples := after.samples - before[name].samples
			if samples < float64(s.series) {
				return fmt.Errorf("%s stored only %.0f samples: %s", name, samples, sys.output())
			}
			r.add("cpu_seconds_per_million_samples", name, (after.cpu-before[name].cpu)/samples*1e6)
		}
	}
	for name, sys := range both {
		rss, _, err := sys.resident()
		if err != nil {
			return err
		}
		r.add("scraping_resident_bytes", name, rss)
	}
	end := time.Now().Unix()
	for _, q := range queries {
		path := q.path
		if strings.HasPrefix(path, "/api/v1/query_range") {
			path += fmt.Sprintf("&start=%d&end=%d", end-60, end)
		}
		for range s.queries {
			for _, st := range starters {
				begin := time.Now()
				if err := ask(both[st.name].url + path); err != nil {
					return err
				}
				r.add("query_seconds_"+q.name, st.name, time.Since(begin).Seconds())
			}
		}
	}
	return nil
}

// work is what a system has done since it started.
type work struct{ samples, cpu float64 }

func (y *system) work() (work, error) {
	samples, err := y.samples()
	if err != nil {
		return work{}, err
	}
	cpu, err := y.cpu()
	return work{samples: samples, cpu: cpu}, err
}

func ask(u string) error {
	resp, err := http.Get(u)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", u, resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// samples is how many samples the system has stored since it started.
func (y *system) samples() (float64, error) {
	resp, err := http.Get(y.url + "/metrics")
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	var total float64
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "prometheus_tsdb_head_samples_appended_total") {
			v, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' ')+1:]), 64)
			if err != nil {
				return 0, err
			}
			total += v
		}
	}
	return total, nil
}

// mailSink tells when a mail whose text holds a word arrives.
type mailSink struct{ arrived chan string }

func (m mailSink) NewSession(*smtp.Conn) (smtp.Session, error) { return mailSession(m), nil }

type mailSession struct{ arrived chan string }

func (mailSession) Mail(string, *smtp.MailOptions) error { return nil }
func (mailSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (mailSession) Reset()                               {}
func (mailSession) Logout() error                        { return nil }
func (m mailSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m.arrived <- string(b)
	return nil
}

// measureMails breaches a threshold again and again and stops the time until
// the mail arrives, with intervals of one second and no waiting for groups.
func measureMails(s settings, r *report) error {
	for _, st := range starters {
		if err := measureMailsOf(s, r, st.name, st.start); err != nil {
			return fmt.Errorf("%s: %w", st.name, err)
		}
	}
	return nil
}

func measureMailsOf(s settings, r *report, name string, start func(settings, string, files) (*system, error)) error {
	sink := mailSink{arrived: make(chan string, 100)}
	srv := smtp.NewServer(sink)
	srv.Domain, srv.ReadTimeout, srv.WriteTimeout = "localhost", 10*time.Second, 10*time.Second
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = srv.Serve(l) }()
	defer func() { _ = srv.Close() }()
	var breach atomic.Int64
	address, stop, err := serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := breach.Load()
		fmt.Fprintf(w, "# TYPE latency gauge\nlatency{breach=\"%d\"} %d\n", max(n, -n), max(n, 0))
	}))
	if err != nil {
		return err
	}
	defer stop()
	f := files{
		prometheus: fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nscrape_configs: [{job_name: bench, static_configs: [{targets: ['%s']}]}]\n", address),
		rules:      "groups: [{name: g, rules: [{alert: Breach, expr: latency > 0, for: 0s}]}]\n",
		alertmanager: fmt.Sprintf("route: {receiver: mail, group_by: [breach], group_wait: 0s, group_interval: 1s}\nreceivers: [{name: mail, email_configs: [{to: a@example.com, from: b@example.com, smarthost: '%s', require_tls: false}]}]\n",
			l.Addr()),
	}
	sys, err := start(s, filepath.Join(s.dir, "mail", name), f)
	if err != nil {
		return err
	}
	defer func() { _ = sys.stop() }()
	if err := sys.waitReady(); err != nil {
		return err
	}
	if err := sys.waitSeries("latency"); err != nil {
		return err
	}
	for i := range s.mails {
		// Breaches fall at all phases of the intervals.
		time.Sleep(2*time.Second + time.Duration(i)*1337*time.Millisecond/10)
		begin := time.Now()
		breach.Store(int64(i + 1))
		word := fmt.Sprintf("breach = %d", i+1)
		for arrived := false; !arrived; {
			select {
			case text := <-sink.arrived:
				arrived = strings.Contains(text, word) || strings.Contains(text, strings.ReplaceAll(word, "=", "=3D"))
			case <-time.After(60 * time.Second):
				return fmt.Errorf("no mail within a minute: %s", sys.output())
			}
		}
		r.add("breach_to_mail_seconds", name, time.Since(begin).Seconds())
		breach.Store(int64(-i - 1))
	}
	return nil
}

func (y *system) waitSeries(expr string) error {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		resp, err := http.Get(y.url + "/api/v1/query?query=" + url.QueryEscape(expr))
		if err != nil {
			return err
		}
		var answer struct {
			Data struct{ Result []json.RawMessage }
		}
		err = json.NewDecoder(resp.Body).Decode(&answer)
		_ = resp.Body.Close()
		if err != nil {
			return err
		}
		if len(answer.Data.Result) > 0 {
			return nil
		}
	}
	return fmt.Errorf("no series %s: %s", expr, y.output())
}
