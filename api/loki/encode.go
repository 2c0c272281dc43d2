package loki

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/labels"
)

// categorize is the flag by which clients ask for labels in categories, in the header X-Loki-Response-Encoding-Flags.
const categorize = "categorize-labels"

// encoder writes answers by hand: a result is mostly text and numbers, and reflection would cost more than the query.
type encoder struct{ b []byte }

func (e *encoder) raw(s string) { e.b = append(e.b, s...) }

const hex = "0123456789abcdef"

// text writes a JSON string. What is not UTF-8 is replaced.
func (e *encoder) text(s string) {
	e.b = append(e.b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			e.b = append(e.b, s[start:i]...)
			switch c {
			case '"', '\\':
				e.b = append(e.b, '\\', c)
			case '\n':
				e.b = append(e.b, '\\', 'n')
			case '\r':
				e.b = append(e.b, '\\', 'r')
			case '\t':
				e.b = append(e.b, '\\', 't')
			default:
				e.b = append(e.b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || r == '\u2028' || r == '\u2029' {
			e.b = append(e.b, s[start:i]...)
			if n == 1 {
				e.raw(`\ufffd`)
			} else {
				e.raw(`\u202`)
				e.b = append(e.b, hex[r&15])
			}
			i += n
			start = i
			continue
		}
		i += n
	}
	e.b = append(e.b, s[start:]...)
	e.b = append(e.b, '"')
}

func (e *encoder) labels(ls labels.Labels) {
	e.b = append(e.b, '{')
	first := true
	ls.Range(func(l labels.Label) {
		if !first {
			e.b = append(e.b, ',')
		}
		first = false
		e.text(l.Name)
		e.b = append(e.b, ':')
		e.text(l.Value)
	})
	e.b = append(e.b, '}')
}

// seconds writes a time in milliseconds as seconds.
func (e *encoder) seconds(ms int64) {
	if ms%1000 == 0 {
		e.b = strconv.AppendInt(e.b, ms/1000, 10)
		return
	}
	e.b = strconv.AppendFloat(e.b, float64(ms)/1000, 'f', -1, 64)
}

func (e *encoder) value(v float64) {
	e.b = append(e.b, '"')
	switch {
	case math.IsNaN(v):
		e.raw("NaN")
	case math.IsInf(v, 1):
		e.raw("+Inf")
	case math.IsInf(v, -1):
		e.raw("-Inf")
	default:
		e.b = strconv.AppendFloat(e.b, v, 'f', -1, 64)
	}
	e.b = append(e.b, '"')
}

func (e *encoder) point(p Point) {
	e.b = append(e.b, '[')
	e.seconds(p.T)
	e.b = append(e.b, ',')
	e.value(p.V)
	e.b = append(e.b, ']')
}

func (e *encoder) entry(en *Entry, categories bool) {
	e.raw(`["`)
	e.b = strconv.AppendInt(e.b, en.Timestamp, 10)
	e.raw(`",`)
	e.text(en.Line)
	if categories {
		e.raw(`,{`)
		if !en.Metadata.IsEmpty() {
			e.raw(`"structuredMetadata":`)
			e.labels(en.Metadata)
		}
		if !en.Parsed.IsEmpty() {
			if !en.Metadata.IsEmpty() {
				e.b = append(e.b, ',')
			}
			e.raw(`"parsed":`)
			e.labels(en.Parsed)
		}
		e.b = append(e.b, '}')
	}
	e.b = append(e.b, ']')
}

func (e *encoder) streams(streams []Stream, categories bool) {
	e.b = append(e.b, '[')
	for i := range streams {
		if i > 0 {
			e.b = append(e.b, ',')
		}
		e.raw(`{"stream":`)
		e.labels(streams[i].Labels)
		e.raw(`,"values":[`)
		for j := range streams[i].Entries {
			if j > 0 {
				e.b = append(e.b, ',')
			}
			e.entry(&streams[i].Entries[j], categories)
		}
		e.raw(`]}`)
	}
	e.b = append(e.b, ']')
}

// result writes the answer to a query.
func (e *encoder) result(res *Result, categories bool) {
	e.raw(`{"status":"success","data":{"resultType":"`)
	e.raw(res.Type)
	e.raw(`",`)
	if categories {
		e.raw(`"encodingFlags":["` + categorize + `"],`)
	}
	e.raw(`"result":`)
	switch res.Type {
	case "streams":
		e.streams(res.Streams, categories)
	case "scalar":
		e.point(res.Series[0].Points[0])
	case "vector", "matrix":
		e.b = append(e.b, '[')
		for i, s := range res.Series {
			if i > 0 {
				e.b = append(e.b, ',')
			}
			e.raw(`{"metric":`)
			e.labels(s.Labels)
			if res.Type == "vector" {
				e.raw(`,"value":`)
				e.point(s.Points[0])
			} else {
				e.raw(`,"values":[`)
				for j, p := range s.Points {
					if j > 0 {
						e.b = append(e.b, ',')
					}
					e.point(p)
				}
				e.b = append(e.b, ']')
			}
			e.b = append(e.b, '}')
		}
		e.b = append(e.b, ']')
	}
	e.raw(`,"stats":`)
	e.stats(res)
	e.b = append(e.b, '}')
	if len(res.Warnings) > 0 {
		e.raw(`,"warnings":[`)
		for i, w := range res.Warnings {
			if i > 0 {
				e.b = append(e.b, ',')
			}
			e.text(w)
		}
		e.b = append(e.b, ']')
	}
	e.raw("}\n")
}

type chunkStats struct {
	HeadChunkBytes                      int64 `json:"headChunkBytes"`
	HeadChunkLines                      int64 `json:"headChunkLines"`
	DecompressedBytes                   int64 `json:"decompressedBytes"`
	DecompressedLines                   int64 `json:"decompressedLines"`
	CompressedBytes                     int64 `json:"compressedBytes"`
	TotalDuplicates                     int64 `json:"totalDuplicates"`
	PostFilterLines                     int64 `json:"postFilterLines"`
	HeadChunkStructuredMetadataBytes    int64 `json:"headChunkStructuredMetadataBytes"`
	DecompressedStructuredMetadataBytes int64 `json:"decompressedStructuredMetadataBytes"`
}

type storeStats struct {
	TotalChunksRef                int64      `json:"totalChunksRef"`
	TotalChunksDownloaded         int64      `json:"totalChunksDownloaded"`
	ChunksDownloadTime            int64      `json:"chunksDownloadTime"`
	QueryReferencedStructuredMeta bool       `json:"queryReferencedStructuredMetadata"`
	Chunk                         chunkStats `json:"chunk"`
	ChunkRefsFetchTime            int64      `json:"chunkRefsFetchTime"`
	CongestionControlLatency      int64      `json:"congestionControlLatency"`
	PipelineWrapperFilteredLines  int64      `json:"pipelineWrapperFilteredLines"`
}

// cacheStats is what Loki says of each of its caches. There are none here, and tools that read the answer find zeros.
type cacheStats struct {
	EntriesFound      int   `json:"entriesFound"`
	EntriesRequested  int   `json:"entriesRequested"`
	EntriesStored     int   `json:"entriesStored"`
	BytesReceived     int64 `json:"bytesReceived"`
	BytesSent         int64 `json:"bytesSent"`
	Requests          int   `json:"requests"`
	DownloadTime      int64 `json:"downloadTime"`
	QueryLengthServed int64 `json:"queryLengthServed"`
}

type queryStats struct {
	Summary struct {
		BytesProcessedPerSecond               int64   `json:"bytesProcessedPerSecond"`
		LinesProcessedPerSecond               int64   `json:"linesProcessedPerSecond"`
		TotalBytesProcessed                   int64   `json:"totalBytesProcessed"`
		TotalLinesProcessed                   int64   `json:"totalLinesProcessed"`
		ExecTime                              float64 `json:"execTime"`
		QueueTime                             float64 `json:"queueTime"`
		Subqueries                            int     `json:"subqueries"`
		TotalEntriesReturned                  int64   `json:"totalEntriesReturned"`
		Splits                                int     `json:"splits"`
		Shards                                int     `json:"shards"`
		TotalPostFilterLines                  int64   `json:"totalPostFilterLines"`
		TotalStructuredMetadataBytesProcessed int64   `json:"totalStructuredMetadataBytesProcessed"`
	} `json:"summary"`
	Querier struct {
		Store storeStats `json:"store"`
	} `json:"querier"`
	Ingester struct {
		TotalReached       int        `json:"totalReached"`
		TotalChunksMatched int64      `json:"totalChunksMatched"`
		TotalBatches       int64      `json:"totalBatches"`
		TotalLinesSent     int64      `json:"totalLinesSent"`
		Store              storeStats `json:"store"`
	} `json:"ingester"`
	Cache map[string]cacheStats `json:"cache"`
	Index struct {
		TotalChunks      int64 `json:"totalChunks"`
		PostFilterChunks int64 `json:"postFilterChunks"`
		ShardsDuration   int64 `json:"shardsDuration"`
		UsedBloomFilters bool  `json:"usedBloomFilters"`
	} `json:"index"`
}

func (e *encoder) stats(res *Result) {
	var q queryStats
	q.Cache = map[string]cacheStats{}
	for _, name := range []string{"chunk", "index", "result", "statsResult", "volumeResult", "seriesResult", "labelResult", "instantMetricResult"} {
		q.Cache[name] = cacheStats{}
	}
	s, st := &q.Summary, res.Stats
	seconds := math.Max(st.Duration.Seconds(), 1e-6)
	s.TotalBytesProcessed, s.TotalLinesProcessed = st.Bytes, st.Lines
	s.BytesProcessedPerSecond, s.LinesProcessedPerSecond = int64(float64(st.Bytes)/seconds), int64(float64(st.Lines)/seconds)
	s.ExecTime, s.TotalEntriesReturned, s.TotalPostFilterLines = seconds, st.Given, st.Kept
	s.Subqueries, s.Splits = st.Scans, st.Scans
	q.Querier.Store.TotalChunksRef = int64(st.Streams)
	q.Querier.Store.Chunk.DecompressedBytes, q.Querier.Store.Chunk.DecompressedLines, q.Querier.Store.Chunk.PostFilterLines = st.Bytes, st.Lines, st.Kept
	q.Index.TotalChunks = int64(st.Streams)
	text, err := json.Marshal(q)
	if err != nil {
		text = []byte("{}") // Numbers always marshal.
	}
	e.b = append(e.b, bytes.TrimSpace(text)...)
}

func (e *encoder) send(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(e.b)))
	_, _ = w.Write(e.b) // An error means that the client is gone.
}
