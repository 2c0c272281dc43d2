package files

import (
	"net/http"
	"path/filepath"

	"github.com/modelwatch/modelwatch/config/edit"
)

type place struct {
	Directory string   `json:"directory"`
	Patterns  []string `json:"patterns"`
	Exists    bool     `json:"exists"`
	Editable  bool     `json:"editable"`
	Reason    *reason  `json:"reason"`
}

// newFile is a rule file that is to be made.
type newFile struct {
	Directory string  `json:"directory"`
	Name      string  `json:"name"`
	Text      *string `json:"text"`
}

func (n newFile) path() string { return filepath.Join(n.Directory, n.Name) }

func (h *handler) places() []place {
	out := []place{}
	for _, s := range h.Editor.Places() {
		p := place{Directory: s.Dir, Patterns: s.Patterns, Exists: s.Exists, Editable: s.Reason == nil}
		if s.Reason != nil {
			p.Reason = &reason{s.Reason.Code, s.Reason.Text}
		}
		out = append(out, p)
	}
	return out
}

const noText = "text is missing: give the whole file"

func (h *handler) checkNew(w http.ResponseWriter, r *http.Request) {
	var in newFile
	if !h.decode(w, r, &in) {
		return
	}
	if in.Text == nil {
		answer(w, http.StatusBadRequest, failure{Error: noText})
		return
	}
	ps, err := h.Editor.CheckNew(edit.NewFile{Dir: in.Directory, Name: in.Name}, []byte(*in.Text))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"ok": ps.Err() == nil, "problems": problemsOf(ps)})
}

func (h *handler) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		newFile
		Comment string `json:"comment"`
	}
	if !h.decode(w, r, &in) {
		return
	}
	if in.Text == nil {
		answer(w, http.StatusBadRequest, failure{Error: noText})
		return
	}
	if !h.mayKind(w, r, in.path(), edit.Rules) {
		return
	}
	t, err := h.Editor.Create(r.Context(), edit.NewFile{Dir: in.Directory, Name: in.Name}, edit.Change{Text: []byte(*in.Text), Who: h.Who(r), Comment: in.Comment})
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusCreated, textOf(t))
}
