package tail

import (
	"bytes"
	"fmt"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/ianaindex"
)

// unmarshalRelabel reads one relabelling rule strictly.
func unmarshalRelabel(text []byte) (*relabel.Config, error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	var c relabel.Config
	if err := d.Decode(&c); err != nil {
		return nil, err
	}
	if err := c.Validate(model.LegacyValidation); err != nil {
		return nil, err
	}
	return &c, nil
}

// applyRelabel changes the labels of a target; false drops it.
func applyRelabel(ls map[string]string, rules []*relabel.Config) (map[string]string, bool) {
	if len(rules) == 0 {
		return ls, true
	}
	b := labels.NewBuilder(labels.FromMap(ls))
	keep := relabel.ProcessBuilder(b, rules...)
	return b.Labels().Map(), keep
}

// visible drops the labels that begin with two underscores.
func visible(ls map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range ls {
		if len(k) < 2 || k[:2] != "__" {
			out[k] = v
		}
	}
	return out
}

// decoder returns the encoding of that name; nil for UTF-8.
func decoder(name string) (encoding.Encoding, error) {
	if name == "" {
		return nil, nil
	}
	e, err := ianaindex.IANA.Encoding(name)
	if err != nil || e == nil {
		return nil, fmt.Errorf("encoding %q is not known", name)
	}
	if canonical, err := ianaindex.IANA.Name(e); err == nil && canonical == "UTF-8" {
		return nil, nil
	}
	return e, nil
}
